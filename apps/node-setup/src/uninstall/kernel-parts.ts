/** What is in the kernel: devices, routes, nexthops, neighbours, the bridge, the nft table. canal makes no `ip rule`. */
import { describeOperation } from '@canal/delta';
import type { NetworkKernel, TrafficKernel } from '@canal/kernel-port';
import { BRIDGE_NAME, LINK_ALIAS, NETWORK_NFT_TABLE, type NetworkOperation, POLICY_NFT_TABLE } from '@canal/model';
import { planRemoval, removeNetwork } from '@canal/reconcile';
import {
  changeNftables,
  delLink,
  delNftTable,
  isNotFound,
  type Link,
  listLinks,
  listNftTables,
  type NetlinkConnection,
  NFPROTO,
} from 'netlink-ts';
import { HOST_VETH_PREFIX } from '@canal/model';
import type { Found, Part } from './part.ts';

/** Pods' links and routes among it. `isFlannels`: flannel uses the devices of its name, which it finds and keeps. */
export function networkPart(kernel: NetworkKernel, isFlannels: () => boolean): Part {
  return {
    kind: 'network',
    find: async () => {
      const operations = await planRemoval(kernel, { pods: true });
      const kept = isFlannels() ? operations.filter(isOnFlannelDevice) : [];
      const going = operations.filter((operation) => !kept.includes(operation));
      const removal = batchOf(kernel, going);
      return [
        ...kept.map((operation): Found => {
          return { kind: 'network', name: describeOperation(operation), note: 'flannel has the device now' };
        }),
        ...going.map((operation, index): Found => ({
          kind: 'network',
          name: describeOperation(operation),
          act: async () => {
            const problem = (await removal())[index]?.problem;
            if (problem !== undefined) throw new Error(problem);
          },
        })),
      ];
    },
  };
}

/** Routes are told by protocol 203 alone, on any device: flannel's own have another. */
function isOnFlannelDevice(operation: NetworkOperation): boolean {
  switch (operation.type) {
    case 'link-delete':
      return FLANNEL_DEVICE.test(operation.name);
    case 'address-delete':
      return FLANNEL_DEVICE.test(operation.address.link);
    case 'neighbour-delete':
      return FLANNEL_DEVICE.test(operation.neighbour.link);
    case 'fdb-delete':
      return FLANNEL_DEVICE.test(operation.entry.link);
    default:
      return false;
  }
}

const FLANNEL_DEVICE = /^flannel(?:-v6)?\./;

/** All in one go, when the first is asked for: one by one, 110 pods would cost as many dumps. */
function batchOf(
  kernel: NetworkKernel,
  operations: readonly NetworkOperation[],
): () => ReturnType<typeof removeNetwork> {
  let running: ReturnType<typeof removeNetwork> | undefined;
  return () => (running ??= removeNetwork(kernel, operations));
}

/** `usedByRecords`: pods were attached to a bridge of that name, before bridges carried our mark. */
export function bridgePart(netlink: NetlinkConnection, usedByRecords: boolean): Part {
  return {
    kind: 'bridge',
    find: () =>
      listLinks(netlink, { kind: 'bridge' })
        .filter(({ alias, name }) => alias === LINK_ALIAS || (usedByRecords && name === BRIDGE_NAME))
        .map((bridge) => findBridge(netlink, bridge)),
  };
}

function findBridge(netlink: NetlinkConnection, { index, name = '' }: Link): Found {
  const found = { kind: 'bridge', name: `link delete ${name}` } as const;
  const foreign = listLinks(netlink, { master: index }).filter(
    (port) => port.master === index && port.name?.startsWith(HOST_VETH_PREFIX) !== true,
  );
  if (foreign.length > 0) {
    return { ...found, note: `others are attached to it: ${foreign.map((port) => port.name ?? '?').join(', ')}` };
  }
  return {
    ...found,
    act: () => {
      const [error] = netlink.batch([delLink({ index })]);
      if (error !== undefined && !isNotFound(error)) throw error;
    },
  };
}

export function nftPart(kernel: Pick<TrafficKernel, 'compare' | 'remove'>): Part {
  return {
    kind: 'nft-table',
    find: async () => {
      const { differences } = await kernel.compare({ name: NETWORK_NFT_TABLE, chains: [] });
      if (differences.length === 0) return [];
      const remove = async (): Promise<void> => {
        await kernel.remove(NETWORK_NFT_TABLE);
      };
      return [{ kind: 'nft-table', name: `inet ${NETWORK_NFT_TABLE}`, act: remove }];
    },
  };
}

/** Families in which the policy agent has a table of its name. */
const POLICY_FAMILIES = [
  ['inet', NFPROTO.INET],
  ['arp', NFPROTO.ARP],
  ['bridge', NFPROTO.BRIDGE],
] as const;

/** The rules of policies; `netfilter` is a connection of NETLINK_NETFILTER. */
export function policyPart(netfilter: NetlinkConnection): Part {
  return {
    kind: 'nft-table',
    find: () => {
      const tables = listNftTables(netfilter).filter(({ name }) => name === POLICY_NFT_TABLE);
      return POLICY_FAMILIES.filter(([, family]) => tables.some((table) => table.family === family)).map(
        ([word, family]): Found => ({
          kind: 'nft-table',
          name: `${word} ${POLICY_NFT_TABLE}`,
          act: () => removeTable(netfilter, family),
        }),
      );
    },
  };
}

function removeTable(netfilter: NetlinkConnection, family: number): void {
  try {
    changeNftables(netfilter, [delNftTable({ family, name: POLICY_NFT_TABLE })]);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
