/** Other networks of pods on this node, or what they have left: their files, devices, tables and chains, and who drops. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isConfFileName, pluginTypesOf } from '@canal/cni-spec';
import { LINK_ALIAS, NETWORK_NFT_TABLE, POLICY_NFT_TABLE } from '@canal/model';
import { type Observation, ok, trouble } from './observation.ts';

const OWN_CONF = '10-canal.conflist';
const OWN_TYPE = 'canal';

export interface ConfFile {
  readonly name: string;
  /** Types of its plugins; empty when no runtime can read it. */
  readonly types: readonly string[];
}

export function readConfFiles(directory: string): readonly ConfFile[] {
  let names: readonly string[];
  try {
    names = readdirSync(directory).filter(isConfFileName).sort();
  } catch {
    return [];
  }
  return names.map((name) => ({ name, types: pluginTypesOf(textOf(join(directory, name))) ?? [] }));
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Runtimes take the first file in the order of names. */
export function judgeConfFiles(directory: string, files: readonly ConfFile[]): Observation {
  const thing = { id: 'cni-conf', what: `files in ${directory}`, found: files.map(confText).join(', ') || 'none' };
  const earlier = files.filter(({ name, types }) => name < OWN_CONF && !types.includes(OWN_TYPE));
  const next = `remove that network from the node: canal takes nobody's files away (${earlier.map(({ name }) => name).join(', ')})`;
  if (earlier.length > 0) {
    const cause = `the container runtime takes the first file, and ${OWN_CONF} comes after it: pods would get another network, or none`;
    return trouble('fail', thing, cause, next);
  }
  return ok(thing.id, thing.what, thing.found);
}

function confText({ name, types }: ConfFile): string {
  return `${name} (${types.length === 0 ? 'not readable' : types.join(', ')})`;
}

export interface DeviceFacts {
  readonly name: string;
  readonly alias: string | undefined;
}

/** Devices by their names, which these networks fix. */
const DEVICES: readonly (readonly [string, RegExp])[] = [
  ['Calico', /^(?:cali[0-9a-f]{11}|vxlan(?:-v6)?\.calico|wireguard\.cali|tunl0\.cali)$/],
  ['Cilium', /^(?:cilium_(?:host|net|vxlan|geneve|wg0)|lxc_health|lxc[0-9a-f]{12})$/],
  ['Weave Net', /^(?:weave|vethwe[-0-9a-z]+|vxlan-6784)$/],
  ['kube-router', /^(?:kube-bridge|kube-dummy-if|tun-[0-9a-f]+)$/],
  ['Antrea', /^(?:antrea-(?:gw0|tun0)|ovs-system)$/],
  ['OVN-Kubernetes', /^(?:ovn-k8s-mp0|br-int)$/],
];
const FLANNELS = /^(?:flannel(?:-v6)?\.\d+|cni0)$/;

export function judgeDevices(devices: readonly DeviceFacts[]): readonly Observation[] {
  const [id, what] = ['foreign-devices', 'devices of other networks'];
  const foreign = DEVICES.flatMap(([network, pattern]) => {
    const names = devices.map(({ name }) => name).filter((name) => pattern.test(name));
    return names.length === 0 ? [] : [{ network, names }];
  });
  const flannels = devices
    .filter(({ name, alias }) => FLANNELS.test(name) && alias !== LINK_ALIAS)
    .map(({ name }) => name);
  const own =
    flannels.length === 0
      ? []
      : [ok('flannel-devices', "flannel's devices", `${flannels.join(', ')}: canal takes them over`)];
  if (foreign.length === 0) return [ok(id, what, 'none'), ...own];
  const found = foreign.map(({ network, names }) => `${network}: ${shortened(names)}`).join('; ');
  const cause = 'another network has pods on this node, or was not taken away';
  const next = 'drain the node, remove that network as its documentation says, and start the node anew';
  return [trouble('warn', { id, what, found }, cause, next), ...own];
}

function shortened(names: readonly string[]): string {
  return names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;
}

export interface TableFacts {
  /** As nft names it; `legacy-ip` and `legacy-ip6` of iptables-legacy. */
  readonly family: string;
  readonly name: string;
  readonly chains: readonly string[];
  /** Another program alone may change it. */
  readonly owned: boolean;
}

const CHAINS: readonly (readonly [string, RegExp])[] = [
  ['Calico', /^(?:cali-|filter-cali|raw-cali|nat-cali|mangle-cali)/],
  ['Cilium', /^(?:OLD_)?CILIUM_/],
  ['Weave Net', /^WEAVE/],
  ['kube-router', /^KUBE-(?:ROUTER|POD-FW|NWPLCY)/],
  ['flannel', /^FLANNEL-/],
];
const TABLES: readonly (readonly [string, RegExp])[] = [
  ['Calico', /^calico$/],
  ['flannel', /^flannel-ipv[46]$/],
  ['kindnet', /^(?:kindnet|kube-network-policies)/],
];

export function judgeTables(tables: readonly TableFacts[]): readonly Observation[] {
  const [id, what] = ['foreign-rules', 'rules of other networks'];
  const owned = tables.filter(({ name, owned: is }) => is && [NETWORK_NFT_TABLE, POLICY_NFT_TABLE].includes(name));
  const found = tables.flatMap(({ family, name, chains }) => {
    const network =
      TABLES.find(([, pattern]) => pattern.test(name))?.[0] ??
      CHAINS.find(([, pattern]) => chains.some((chain) => pattern.test(chain)))?.[0];
    return network === undefined ? [] : [`${network}: table ${family} ${name}`];
  });
  const cause = 'they judge packets of pods too, and no accept of canal overrules their drop';
  const next = 'remove that network as its documentation says; what is left goes when the node starts anew';
  return [
    found.length === 0 ? ok(id, what, 'none') : trouble('warn', { id, what, found: found.join('; ') }, cause, next),
    ...owned.map(({ family, name }) =>
      trouble(
        'fail',
        { id: 'own-tables', what: `table ${family} ${name}`, found: 'owned by another program' },
        'the kernel lets nobody but that program change it',
        `end the program that made it ("nft -a list table ${family} ${name}")`,
      ),
    ),
  ];
}
