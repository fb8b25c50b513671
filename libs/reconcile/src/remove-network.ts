/** Everything of ours out of the kernel's network: the diff to an empty node deletes exactly what is ours. */
import { describeOperation, diffNetwork, isOwnLinkName } from '@canal/delta';
import type { NetworkKernel } from '@canal/kernel-port';
import {
  HOST_VETH_PREFIX,
  type NetworkOperation,
  type NetworkSnapshot,
  NODE_ROUTE_PROTOCOL,
  POD_ROUTE_PROTOCOL,
} from '@canal/model';
import { EMPTY_STATE } from '@canal/network-compile';

export interface RemovalScope {
  /** Also the links and routes of pods: their network ends with it. */
  readonly pods: boolean;
}

export interface Removal {
  /** In the words of iproute2: `link delete flannel.1`. */
  readonly text: string;
  /** Why the kernel did not do it. */
  readonly problem?: string;
}

/** What is there to be removed. Throws KernelError. */
export async function planRemoval(kernel: NetworkKernel, scope: RemovalScope): Promise<readonly NetworkOperation[]> {
  const snapshot = await kernel.readSnapshot({
    links: isOwnLinkName,
    routeProtocols: scope.pods ? [NODE_ROUTE_PROTOCOL, POD_ROUTE_PROTOCOL] : [NODE_ROUTE_PROTOCOL],
  });
  const { operations } = diffNetwork(EMPTY_STATE, snapshot, { inSync: true });
  // Routes and neighbours of a pod's link go with it; what a bridge answers for does not.
  return scope.pods ? [...operations, ...hostEnds(snapshot), ...proxiesLeft(snapshot, operations)] : operations;
}

/** Goes on after a failure. What has gone with the device before it counts as removed. Throws KernelError. */
export async function removeNetwork(
  kernel: NetworkKernel,
  operations: readonly NetworkOperation[],
): Promise<readonly Removal[]> {
  if (operations.length === 0) return [];
  const results = await kernel.apply(operations);
  return operations.map((operation, index) => {
    const result = results[index];
    const text = describeOperation(operation);
    return result === undefined || result.ok || isGone(result.error.code)
      ? { text }
      : { text, problem: result.error.message };
  });
}

function hostEnds({ links }: NetworkSnapshot): NetworkOperation[] {
  return links
    .filter(({ name, kind }) => kind === 'veth' && name.startsWith(HOST_VETH_PREFIX))
    .map(({ name }) => ({ type: 'link-delete', name }));
}

/** Those of pods that have a route until their link goes, which the diff takes for pods that are about to be. */
function proxiesLeft({ proxies }: NetworkSnapshot, planned: readonly NetworkOperation[]): NetworkOperation[] {
  const done = new Set(planned.flatMap((operation) => (operation.type === 'proxy-delete' ? [operation.proxy.ip] : [])));
  return proxies
    .filter(({ ip, protocol }) => protocol === POD_ROUTE_PROTOCOL && !done.has(ip))
    .map(({ link, ip }) => ({ type: 'proxy-delete', proxy: { link, ip } }));
}

function isGone(code: string): boolean {
  return code === 'ESRCH' || code === 'ENOENT' || code === 'ENODEV' || code === 'EADDRNOTAVAIL';
}
