/**
 * Names that become file names: whoever holds one of these brands may join it to a directory and stays inside it. The
 * pattern is the specification's (letters and digits first, then also "_", "." and "-"), so neither "/" nor ".." nor a
 * leading dot is possible. CVE-2021-20206 was a plugin type without this check.
 */
import { type Brand, err, ok, type ParseError, type Result } from 'net-types';

export type NetworkName = Brand<string, 'NetworkName'>;
export type ContainerId = Brand<string, 'ContainerId'>;
/** File name of a plugin's executable (`type` in a configuration). */
export type PluginType = Brand<string, 'PluginType'>;

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/**
 * The runtime's own cache names a file `<network>-<containerId>-<ifname>`, and ours add a few characters to an id: with
 * these lengths all stay below the 255 bytes that file systems take. Container ids in use have 64 characters.
 */
const NETWORK_NAME_MAX = 80;
const CONTAINER_ID_MAX = 150;
const PLUGIN_TYPE_MAX = 200;

function parseName(text: string, maxLength: number): Result<string, ParseError> {
  if (NAME.test(text) && text.length <= maxLength) return ok(text);
  return err({
    input: text,
    expected: `1 to ${maxLength} characters: a letter or digit, then letters, digits, "_", "." or "-"`,
  });
}

export function parseNetworkName(text: string): Result<NetworkName, ParseError> {
  return parseName(text, NETWORK_NAME_MAX) as Result<NetworkName, ParseError>;
}

export function parseContainerId(text: string): Result<ContainerId, ParseError> {
  return parseName(text, CONTAINER_ID_MAX) as Result<ContainerId, ParseError>;
}

export function parsePluginType(text: string): Result<PluginType, ParseError> {
  return parseName(text, PLUGIN_TYPE_MAX) as Result<PluginType, ParseError>;
}
