/**
 * What to do to the kernel so that it has the desired state: a function of the two alone, so a restarted agent plans
 * what one that never stopped would. Order and ownership are in `operation-order.ts` and `ownership.ts`.
 */
import type { NetworkOperation, NetworkSnapshot, NetworkState } from '@canal/model';
import type { NetworkConflict } from './conflict.ts';
import type { DiffOptions } from './diff-context.ts';
import { diffAddresses, diffFdb, diffNeighbours, diffProxies } from './diff-link-entries.ts';
import { diffLinks, diffPorts, diffUpLinks } from './diff-links.ts';
import { diffNexthops, diffRoutes } from './diff-routes.ts';
import { diffSysctls } from './diff-sysctls.ts';
import { OperationPlan } from './operation-order.ts';

export interface NetworkDiff {
  /** In the order in which they have to be performed. */
  readonly operations: readonly NetworkOperation[];
  /**
   * What the desired state lacks all the same, once the store is in sync: conflicts, `keepLinks`, or an attachment at work
   * stand in its way. In no order.
   */
  readonly withheld: readonly NetworkOperation[];
  readonly conflicts: readonly NetworkConflict[];
}

export function diffNetwork(desired: NetworkState, actual: NetworkSnapshot, options: DiffOptions): NetworkDiff {
  const plan = new OperationPlan();
  const conflicts: NetworkConflict[] = [];
  const links = diffLinks(desired.links, actual.links, options, plan, conflicts);
  diffUpLinks(desired.upLinks, actual.links, plan);
  diffPorts(desired.ports, actual.links, plan);
  const context = { links, inSync: options.inSync, plan };
  diffSysctls(context, desired.sysctls, actual.sysctls, conflicts);
  diffAddresses(context, desired.addresses, actual.addresses);
  const nexthops = diffNexthops(context, desired.nexthops, actual.nexthops, conflicts);
  diffNeighbours(context, desired.neighbours, actual.neighbours);
  diffProxies(context, desired.proxies, actual);
  diffFdb(context, desired.fdb, actual.fdb);
  diffRoutes(context, nexthops, desired.routes, actual.routes, conflicts);
  return { operations: plan.inOrder(), withheld: plan.withheld, conflicts };
}
