/** What cannot be right about addresses of pods. */
import type { AddressAssignment, Lease, MissingPart } from '@canal/admin-client';
import { cidrContains, cidrContainsCidr, parseCidr, parseIp } from 'net-types';

export interface AddressFinding {
  readonly kind: 'leak' | 'duplicate' | 'outside' | 'overlap' | 'not asked';
  readonly node?: string;
  readonly address?: string;
  readonly what: string;
  readonly cause: string;
  readonly next: string;
}

/** Leaks, duplicates, addresses outside the leases, leases that overlap, nodes that are missing: in this order. */
export function checkAddresses(
  addresses: readonly AddressAssignment[],
  leases: readonly Lease[],
  missing: readonly MissingPart[],
): readonly AddressFinding[] {
  return [
    ...addresses.filter(({ state }) => state === 'leaked').map(leak),
    ...duplicates(addresses),
    ...outside(addresses, leases),
    ...overlaps(leases),
    ...missing.map(({ node, reason }): AddressFinding => ({
      kind: 'not asked',
      node,
      what: `the addresses of ${node} are not all known`,
      cause: reason,
      next: `"canalctl node status ${node}" says more; run the same command again when it is well`,
    })),
  ];
}

function leak(one: AddressAssignment): AddressFinding {
  const { node, address, releasable } = one;
  const itself = `flanneld on ${node} gives it back by itself after a while; if it stays, see its log`;
  return {
    kind: 'leak',
    node,
    address,
    what: `${address} on ${node} is held by ${holder(one)}, which is gone`,
    cause: 'the runtime did not say that it ended',
    next: releasable === true ? `"canalctl ipam release ${address}" gives it back at once; or ${itself}` : itself,
  };
}

function duplicates(addresses: readonly AddressAssignment[]): readonly AddressFinding[] {
  const holders = Map.groupBy(addresses, ({ address }) => address);
  return [...holders].flatMap(([address, all]): AddressFinding[] => {
    if (all.length < 2) return [];
    const names = all.map((one) => `${holder(one)} on ${one.node}`);
    const isOneNode = new Set(all.map(({ node }) => node)).size === 1;
    return [
      {
        kind: 'duplicate',
        address,
        what: `${address} is held ${all.length} times: ${names.join(', ')}`,
        cause: isOneNode
          ? "the records of the node's plugin contradict each other"
          : 'two nodes give out the same addresses',
        next: isOneNode
          ? 'delete one of the pods, so that it gets another address; report it with the output of -o json'
          : 'see that no two nodes have one subnet ("kubectl get nodes -o custom-columns=NAME:.metadata.name,CIDRS:.spec.podCIDRs"), then delete one of the pods',
      },
    ];
  });
}

function outside(addresses: readonly AddressAssignment[], leases: readonly Lease[]): readonly AddressFinding[] {
  const subnets = Map.groupBy(leases, ({ node }) => node);
  return addresses.flatMap((one): AddressFinding[] => {
    const { address, node } = one;
    const ip = parseIp(address);
    const own = (subnets.get(node) ?? []).map(({ subnet }) => subnet);
    if (ip.ok && own.some((subnet) => within(subnet, ip.value))) return [];
    return [
      {
        kind: 'outside',
        node,
        address,
        what: `${address} of ${holder(one)} is not of a subnet of ${node} (${own.length === 0 ? 'it has none' : own.join(', ')})`,
        cause: 'the node got another subnet while the pod ran: other nodes do not reach the pod',
        next: 'delete the pod, so that it gets an address of the subnet there is now',
      },
    ];
  });
}

function within(subnet: string, ip: Parameters<typeof cidrContains>[1]): boolean {
  const cidr = parseCidr(subnet);
  return cidr.ok && cidrContains(cidr.value, ip);
}

/** Two blocks share addresses when one holds the other's first. */
function overlaps(leases: readonly Lease[]): readonly AddressFinding[] {
  const blocks = leases.flatMap(({ node, subnet }) => {
    const cidr = parseCidr(subnet);
    return cidr.ok ? [{ node, subnet, cidr: cidr.value }] : [];
  });
  return blocks.flatMap((a, index) =>
    blocks.slice(index + 1).flatMap((b): AddressFinding[] => {
      if (a.node === b.node || !(cidrContainsCidr(a.cidr, b.cidr) || cidrContainsCidr(b.cidr, a.cidr))) return [];
      return [
        {
          kind: 'overlap',
          what: `${a.subnet} of ${a.node} and ${b.subnet} of ${b.node} overlap`,
          cause: 'the Node objects give the same addresses to two nodes',
          next: 'let whoever sets spec.podCIDR (kube-controller-manager, as a rule) give each node a subnet of its own: make one of the nodes anew',
        },
      ];
    }),
  );
}

function holder({ pod, containerId }: AddressAssignment): string {
  if (pod !== undefined) return `pod ${pod.namespace}/${pod.name}`;
  return containerId === undefined ? 'nobody' : `container ${containerId.slice(0, 12)}`;
}
