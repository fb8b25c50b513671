/** The runtime's configuration: the file that the agent writes. Others that call our plugin were made by people. */
import { join } from 'node:path';
import {
  isConfFileName,
  isJsonObject,
  type NetworkName,
  parseJson,
  parseNetworkName,
  pluginTypesOf,
} from '@canal/cni-spec';
import { hostPathOf } from '../host-path.ts';
import { isTemporary, namesIn, textOf, unlink } from './files.ts';
import type { Found, Part } from './part.ts';

const OWN_TYPE = 'canal';

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
  if (isTemporary(name)) return name.endsWith(`${ownName}.tmp`) ? [found] : [];
  if (!isConfFileName(name)) return [];
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
    if (!isConfFileName(file) || !typesOf(path).includes(OWN_TYPE)) return [];
    const json = parseJson(confText(path));
    const name = json.ok && isJsonObject(json.value) ? json.value['name'] : undefined;
    const network = parseNetworkName(typeof name === 'string' ? name : '');
    return network.ok ? [network.value] : [];
  });
}

function typesOf(path: string): readonly string[] {
  return pluginTypesOf(confText(path)) ?? [];
}

/** Empty for what is no file, or not to be read: other people's entries must not stop the removal of ours. */
function confText(path: string): string {
  try {
    return textOf(path) ?? '';
  } catch {
    return '';
  }
}
