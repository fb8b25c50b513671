/** deploy/canal.yaml as a user of these settings would have edited it: the ConfigMap alone. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Document, parseAllDocuments } from 'yaml';
import { familyOf } from './pods.ts';
import type { WorldSettings } from './world.ts';

const CONFIG_MAP = 'canal-config';

/** Reads one, writes the edited one, and gives its path. */
export function writeManifest(
  from: string,
  to: string,
  settings: Pick<WorldSettings, 'backend' | 'podMode'>,
  podCidrs: readonly string[],
): string {
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, editManifest(readFileSync(from, 'utf8'), settings, podCidrs));
  return to;
}

/** Without pod networks, those of the manifest stay. Throws when it has no ConfigMap canal-config with the two files of JSON. */
export function editManifest(
  text: string,
  settings: Pick<WorldSettings, 'backend' | 'podMode'>,
  podCidrs: readonly string[],
): string {
  const documents = parseAllDocuments(text) as readonly Document.Parsed[];
  const config = documents.find(
    (document) => document.get('kind') === 'ConfigMap' && document.getIn(['metadata', 'name']) === CONFIG_MAP,
  );
  if (config === undefined) throw new Error(`the manifest has no ConfigMap ${CONFIG_MAP}`);
  editJson(config, 'net-conf.json', (netConf) => editNetConf(netConf, settings.backend, podCidrs));
  editJson(config, 'cni-conf.json', (conflist) => editConflist(conflist, settings.podMode));
  return documents.map(String).join('');
}

function editJson(config: Document, key: string, edit: (value: Record<string, unknown>) => unknown): void {
  const text = config.getIn(['data', key]);
  if (typeof text !== 'string') throw new Error(`ConfigMap ${CONFIG_MAP} has no ${key}`);
  config.setIn(['data', key], JSON.stringify(edit(JSON.parse(text) as Record<string, unknown>), null, 2));
}

export function editNetConf(
  netConf: Record<string, unknown>,
  backend: WorldSettings['backend'],
  podCidrs: readonly string[],
): Record<string, unknown> {
  const ipv4 = podCidrs.find((cidr) => familyOf(cidr) === 'ipv4');
  const ipv6 = podCidrs.find((cidr) => familyOf(cidr) === 'ipv6');
  return {
    ...netConf,
    ...(ipv4 === undefined ? {} : { Network: ipv4 }),
    ...(ipv6 === undefined ? {} : { EnableIPv6: true, IPv6Network: ipv6 }),
    Backend: backend,
  };
}

function editConflist(conflist: Record<string, unknown>, mode: WorldSettings['podMode']): Record<string, unknown> {
  const plugins = conflist['plugins'] as readonly Record<string, unknown>[];
  return {
    ...conflist,
    plugins: plugins.map((plugin) => (plugin['type'] === 'canal' ? { ...plugin, mode } : plugin)),
  };
}
