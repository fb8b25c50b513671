/**
 * Convergence: a node learns of N peers at once (vxlan, IPv4) and programs them into an empty kernel. Ours compiles, diffs
 * and applies in batches, routes through nexthop objects; the peer is flannel's way over the same sockets: for each
 * node one request for the neighbour, one for the FDB entry, one for a classic route via the gateway, each awaited.
 */
import { diffNetwork } from '@canal/delta';
import { createLinuxKernel } from '@canal/kernel-linux';
import { openNetlinkConnection } from '@canal/linux-ffi';
import { type NetConf, type NetworkState, NODE_ROUTE_PROTOCOL, type Peer } from '@canal/model';
import { type CompileInput, compileNetwork } from '@canal/network-compile';
import { turnNetwork } from '@canal/reconcile';
import { connectNetns, createTestNetns } from '@canal/testing';
import {
  cidrOf,
  type InterfaceName,
  type Ipv4,
  isCidr4,
  macFromBytes,
  parseCidr,
  parseIp,
  parsePort,
  parseVni,
  unwrap,
} from 'net-types';
import {
  findLinkIndex,
  NLM_F,
  newNeighbour,
  newRoute,
  permanentNeighbour,
  routeTo,
  RTNH_F,
  vxlanFdbEntry,
} from 'netlink-ts';
import { compare, type Figures } from './comparison.ts';

const SIZES = [1_000, 5_000, 10_000];
const ROUNDS = 5;
const DEVICE = 'flannel.1' as InterfaceName;
const NETWORK = unwrap(parseCidr('10.0.0.0/8'));
const ip4 = (text: string): Ipv4 => unwrap(parseIp(text)) as Ipv4;
const vni = unwrap(parseVni('1'));

const conf: NetConf = {
  ...(isCidr4(NETWORK) && { network: NETWORK }),
  enableIpv4: true,
  enableIpv6: false,
  backend: { type: 'vxlan', vni, port: unwrap(parsePort('8472')), gbp: false, learning: false, directRouting: false },
};

/** Node i has the subnet 10.(i+1 in the two middle bytes).0/24 and the address 172.16/12 + i. */
function syntheticPeers(count: number): Peer[] {
  return Array.from({ length: count }, (_, index) => {
    const number = index + 1;
    const mac = macFromBytes(Uint8Array.of(0x0e, 0, 0, number >>> 16, (number >>> 8) & 255, number & 255));
    if (mac === undefined) throw new RangeError('mac');
    return {
      name: `node-${number}`,
      backendType: 'vxlan',
      endpoints: [
        {
          family: 4 as const,
          publicIp: (ip4('172.16.0.0') + 256 + number) as Ipv4,
          subnet: cidrOf((ip4('10.0.0.0') + number * 256) as Ipv4, 24),
          vtep: { vni, mac },
        },
      ],
    };
  });
}

function inputOf(peers: readonly Peer[], nexthopObjects: boolean): CompileInput {
  return {
    node: {
      name: 'self',
      ownAddresses: [ip4('172.16.0.1')],
      families: [
        {
          family: 4,
          link: 'eth0' as InterfaceName,
          linkMtuBytes: 1500,
          source: ip4('172.16.0.1'),
          onLinkNetworks: [unwrap(parseCidr('172.16.0.0/12'))],
          publicIp: ip4('172.16.0.1'),
          subnet: cidrOf(ip4('10.255.0.0'), 24),
        },
      ],
    },
    conf,
    peers,
    paths: new Map(),
    kernel: { nexthopObjects, ipv6: true },
  };
}

/** A namespace with an underlay interface, as a freshly booted node has it. */
async function inFreshNode<T>(work: (path: string) => Promise<T>): Promise<T> {
  using node = createTestNetns('bench');
  using far = createTestNetns('bench-far');
  connectNetns(
    { netns: node, name: 'eth0', addresses: ['172.16.0.1/12'] },
    { netns: far, name: 'eth0', addresses: ['172.31.255.254/12'] },
  );
  return await work(node.path);
}

async function ours(peers: readonly Peer[]): Promise<Figures> {
  return await inFreshNode(async (netns) => {
    const kernel = createLinuxKernel({ netns });
    try {
      const features = await kernel.features();
      // The device stands before: what is measured is the peers, as for the other contender.
      const alone = compileNetwork(inputOf([], features.nexthopObjects)).state;
      await turnNetwork(kernel, () => alone, { inSync: true });
      const kernelBefore = kernelMs();
      const started = performance.now();
      const { state } = compileNetwork(inputOf(peers, features.nexthopObjects));
      const compiled = performance.now();
      const report = await turnNetwork(kernel, () => state, { inSync: true });
      const applied = performance.now();
      const inKernel = kernelMs() - kernelBefore;
      if (report.failures.length > 0) throw new Error(report.failures[0]?.text);
      const again = await turnNetwork(kernel, () => state, { inSync: true });
      const unchanged = performance.now();
      if (again.performed.length > 0) throw new Error(`${again.performed.length} operations on an equal kernel`);
      return {
        'all peers programmed ms': applied - started,
        'of that, in the kernel ms': inKernel,
        'of that, compile ms': compiled - started,
        'resync when nothing differs ms': unchanged - applied,
        'one more node ms': await oneMore(kernel, state, peers, features.nexthopObjects),
      };
    } finally {
      kernel.close();
    }
  });
}

/** System time of this process so far. */
function kernelMs(): number {
  return process.resourceUsage().systemCPUTime / 1000;
}

type Kernel = ReturnType<typeof createLinuxKernel>;

/** The operations of one added node, planned against the kernel's state before and then timed alone. */
async function oneMore(
  kernel: Kernel,
  before: NetworkState,
  peers: readonly Peer[],
  objects: boolean,
): Promise<number> {
  const snapshot = await kernel.readSnapshot({
    links: (name) => name === DEVICE,
    routeProtocols: [NODE_ROUTE_PROTOCOL],
  });
  const after = compileNetwork(inputOf(syntheticPeers(peers.length + 1), objects)).state;
  const { operations } = diffNetwork(after, snapshot, { inSync: true });
  if (after.routes.length !== before.routes.length + 1) throw new Error('one more node is not one more route');
  const started = performance.now();
  await kernel.apply(operations);
  return performance.now() - started;
}

async function flannelWay(peers: readonly Peer[]): Promise<Figures> {
  return await inFreshNode(async (netns) => {
    const kernel = createLinuxKernel({ netns });
    const alone = compileNetwork(inputOf([], false)).state;
    await turnNetwork(kernel, () => alone, { inSync: true });
    kernel.close();
    using connection = openNetlinkConnection({ netns });
    const index = findLinkIndex(connection, DEVICE);
    if (index === undefined) throw new Error('no device');
    const kernelBefore = kernelMs();
    const started = performance.now();
    for (const peer of peers) {
      const endpoint = peer.endpoints[0];
      if (endpoint?.vtep === undefined) continue;
      connection.execute(newNeighbour(permanentNeighbour(index, endpoint.subnet.ip, endpoint.vtep.mac)));
      connection.execute(newNeighbour(vxlanFdbEntry(index, endpoint.vtep.mac, endpoint.publicIp)));
      const route = { ...routeTo(endpoint.subnet), gateway: endpoint.subnet.ip, oif: index, flags: RTNH_F.ONLINK };
      connection.execute(newRoute(route, NLM_F.CREATE | NLM_F.REPLACE));
    }
    const all = performance.now() - started;
    return { 'all peers programmed ms': all, 'of that, in the kernel ms': kernelMs() - kernelBefore };
  });
}

for (const size of SIZES) {
  const peers = syntheticPeers(size);
  await compare({
    title: `Convergence, ${size} nodes`,
    contenders: [
      { name: 'canal', round: () => ours(peers) },
      { name: 'one request at a time, classic routes', round: () => flannelWay(peers) },
    ],
    rounds: ROUNDS,
  });
}
