/** Everything that is looked at on a node before canal comes to it. Reads alone; what is tried out is tried elsewhere. */
import { join } from 'node:path';
import { createLinuxKernel, createNftTrafficKernel, listLegacyChains } from '@canal/kernel-linux';
import { NETLINK_NETFILTER, openNetlinkConnection } from '@canal/linux-ffi';
import { NETWORK_NFT_TABLE, POLICY_NFT_TABLE } from '@canal/model';
import type { Cidr } from 'net-types';
import { listLinks, listNftChains, listNftTables, NFPROTO, NFT_TABLE_F } from 'netlink-ts';
import { checkDirectories } from './directories.ts';
import { probeKernel } from './kernel-probes.ts';
import { type Observation, trouble } from './observation.ts';
import { judgeConfFiles, judgeDevices, judgeTables, readConfFiles, type TableFacts } from './other-networks.ts';
import { judgeForwardDrops, judgePodNetwork } from './pod-network.ts';
import { judgePorts, readSockets, socketOwners } from './ports.ts';
import { judgeSysctls, readSysctls } from './sysctls.ts';
import { judgeUplink } from './uplink.ts';

export interface CheckOptions {
  readonly backend: 'vxlan' | 'host-gw';
  readonly iface: string | undefined;
  readonly podNetworks: readonly Cidr[];
  /** Where the node's / is. */
  readonly root: string;
}

const CONF_DIRECTORY = '/etc/cni/net.d';

export async function checkNode(options: CheckOptions): Promise<readonly Observation[]> {
  const { backend, root, podNetworks } = options;
  const kernel = await probeKernel(backend);
  // Without it not even the devices can be listed.
  const isDeaf = kernel.some(({ id, verdict }) => id === 'executable-memory' && verdict === 'fail');
  return [
    ...kernel,
    ...(isDeaf ? [] : await checkNetwork(options)),
    ...judgeSysctls(readSysctls()),
    judgeConfFiles(CONF_DIRECTORY, readConfFiles(join(root, CONF_DIRECTORY))),
    ...(isDeaf ? [] : await guarded('forward-drops', 'forwarding of packets of pods', () => forwardDrops(podNetworks))),
    ...checkDirectories(root),
  ];
}

async function checkNetwork(options: CheckOptions): Promise<readonly Observation[]> {
  using rtnetlink = openNetlinkConnection();
  const links = listLinks(rtnetlink);
  const names = new Map(links.map(({ index, name }) => [index, name]));
  const kernel = createLinuxKernel();
  try {
    const [interfaces, defaultRoutes] = [await kernel.listInterfaces(), await kernel.listDefaultRoutes()];
    const vrfs = links.flatMap(({ name, master, info }): [string, string][] =>
      info?.slaveKind === 'vrf' && name !== undefined ? [[name, names.get(master ?? 0) ?? '?']] : [],
    );
    const vxlans = links.flatMap(({ name, info }) =>
      info?.vxlan === undefined || name === undefined ? [] : [{ name, id: info.vxlan.id, port: info.vxlan.port }],
    );
    const sockets = readSockets();
    const owners = socketOwners(new Set(sockets.map(({ inode }) => inode).filter((inode) => inode > 0)));
    return [
      ...judgeUplink({ interfaces, defaultRoutes, vrfs: new Map(vrfs) }, options),
      ...options.podNetworks.map((network) => judgePodNetwork(network, interfaces)),
      ...judgePorts(sockets, owners, vxlans),
      ...judgeDevices(links.flatMap(({ name, alias }) => (name === undefined ? [] : [{ name, alias }]))),
      ...(await guarded('foreign-rules', 'rules of other networks', () => Promise.resolve(judgeTables(readTables())))),
    ];
  } finally {
    kernel.close();
  }
}

async function forwardDrops(podNetworks: readonly Cidr[]): Promise<readonly Observation[]> {
  const kernel = createNftTrafficKernel();
  try {
    return judgeForwardDrops(await kernel.findForwardDrops(podNetworks, [NETWORK_NFT_TABLE, POLICY_NFT_TABLE]));
  } finally {
    kernel.close();
  }
}

const FAMILIES: ReadonlyMap<number, string> = new Map([
  [NFPROTO.INET, 'inet'],
  [NFPROTO.IPV4, 'ip'],
  [NFPROTO.IPV6, 'ip6'],
  [NFPROTO.ARP, 'arp'],
  [NFPROTO.BRIDGE, 'bridge'],
  [NFPROTO.NETDEV, 'netdev'],
]);

function readTables(): readonly TableFacts[] {
  using connection = openNetlinkConnection({ protocol: NETLINK_NETFILTER });
  const chains = listNftChains(connection);
  const legacy = listLegacyChains().map(({ table, ...found }) => ({ ...found, name: table, owned: false }));
  const tables = listNftTables(connection).map(({ family, name = '', flags = 0 }) => ({
    family: FAMILIES.get(family) ?? String(family),
    name,
    chains: chains.flatMap((chain) => (chain.family === family && chain.table === name ? [chain.name ?? ''] : [])),
    owned: (flags & NFT_TABLE_F.OWNER) !== 0,
  }));
  return [...tables, ...legacy];
}

/** What cannot be asked is one line of the answer. */
async function guarded(
  id: string,
  what: string,
  look: () => Promise<readonly Observation[]>,
): Promise<readonly Observation[]> {
  try {
    return await look();
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return [
      trouble('fail', { id, what, found: 'cannot be asked' }, cause, 'a kernel with nf_tables (CONFIG_NF_TABLES)'),
    ];
  }
}
