/** The runtime's configuration: the file that the agent writes. Others that call our plugin were made by people. */
import { join } from 'node:path';
import { isJsonObject, type JsonObject, type NetworkName, parseJson, parseNetworkName } from '@canal/cni-spec';
import { hostPathOf } from '../host-path.ts';
import { isTemporary, namesIn, textOf, unlink } from './files.ts';
import type { Found, Part } from './part.ts';

const OWN_TYPE = 'canal';
const EXTENSIONS = /\.(?:conf|conflist|json)$/;

export function cniConfPart(hostRoot: string, directory: string, ownName: string): Part {
  return {
    kind: 'cni-config',
    find: () => namesIn(directory).flatMap((name) => findOne(hostRoot, directory, name, ownName)),
  };
}

function findOne(hostRoot: string, directory: string, name: string, ownName: string): readonly Found[] {
  const path = join(directory, name);
  const shown = hostPathOf(hostRoot, path);
  const found: Found = { kind: 'cni-config', name: shown, act: () => unlink(path) };
  // Half a file of an agent that was killed.
  if (isTemporary(name)) return name.endsWith(ownName) ? [found] : [];
  if (!EXTENSIONS.test(name)) return [];
  const types = typesOf(path);
  if (name === ownName) {
    if (types.includes(OWN_TYPE)) return [found];
    return [{ kind: 'cni-config', name: shown, note: `calls ${types.join(', ') || 'no plugin'}: another CNI's` }];
  }
  if (!types.includes(OWN_TYPE)) return [];
  return [
    { kind: 'cni-config', name: shown, note: 'calls the plugin "canal" and was not written by the agent: delete it' },
  ];
}

/** Names of the networks that configurations with our plugin speak of. */
export function networksIn(directory: string): readonly NetworkName[] {
  return namesIn(directory).flatMap((file) => {
    const path = join(directory, file);
    if (!EXTENSIONS.test(file) || !typesOf(path).includes(OWN_TYPE)) return [];
    const name = read(path)?.['name'];
    const network = parseNetworkName(typeof name === 'string' ? name : '');
    return network.ok ? [network.value] : [];
  });
}

function typesOf(path: string): readonly string[] {
  const json = read(path);
  if (json === undefined) return [];
  const plugins: unknown = json['plugins'];
  const list = Array.isArray(plugins) ? (plugins as unknown[]) : [];
  return [json, ...list].flatMap((plugin) => {
    const type = typeof plugin === 'object' && plugin !== null && 'type' in plugin ? plugin.type : undefined;
    return typeof type === 'string' ? [type] : [];
  });
}

function read(path: string): JsonObject | undefined {
  const json = parseJson(textOf(path) ?? '');
  return json.ok && isJsonObject(json.value) ? json.value : undefined;
}
