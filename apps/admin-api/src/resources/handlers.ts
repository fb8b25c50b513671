/** All resources of the admin API over one store and one way to the nodes. */
import type { AnnotationKeys } from '@canal/api-schema';
import type { NodeApi } from '@canal/node-api';
import type { Clock, Logger } from '@canal/runtime-port';
import type { Store } from '@canal/store-port';
import type { Handlers } from '../handler.ts';
import { auditHandlers, type AuditRecords } from './audit.ts';
import type { ClusterNodes } from './cluster-nodes.ts';
import { diagHandlers } from './diag.ts';
import { diffHandlers } from './diff.ts';
import { DiffProcess } from './diff-process.ts';
import { endpointHandlers } from './endpoints.ts';
import { eventHandlers } from './events.ts';
import { explainHandlers } from './explain.ts';
import { FlowHub } from './flow-hub.ts';
import { flowHandlers } from './flows.ts';
import { ipamHandlers } from './ipam.ts';
import { leaseHandlers } from './leases.ts';
import { netConfHandlers } from './net-conf.ts';
import { NodeQuestions } from './node-questions.ts';
import { nodeHandlers } from './nodes.ts';
import { policyHandlers } from './policies.ts';
import { releaseHandlers } from './release-address.ts';

export interface HandlersDeps {
  readonly store: Store;
  /** Its `run` is the caller's to start and to wait for. */
  readonly nodes: ClusterNodes;
  readonly nodeApi: NodeApi;
  readonly keys: AnnotationKeys;
  /** Where net-conf.json is. */
  readonly configMap: { readonly namespace: string; readonly name: string };
  readonly audit: AuditRecords;
  /** Runs `diffChild`: see ownDiffCommand. */
  readonly diffCommand: readonly string[];
  readonly version: string;
  readonly clock: Clock;
  /** Milliseconds since the epoch. */
  readonly timeMs: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
}

export function createHandlers(deps: HandlersDeps): Handlers {
  const { store, nodes, clock, keys } = deps;
  const questions = new NodeQuestions(deps);
  const parts = { ...deps, questions };
  return {
    ...nodeHandlers(parts),
    ...leaseHandlers(nodes, keys),
    ...ipamHandlers(nodes, questions),
    ...releaseHandlers(parts),
    ...endpointHandlers(nodes, questions),
    ...policyHandlers(parts),
    ...explainHandlers(parts),
    ...diffHandlers({ ...parts, process: new DiffProcess(deps.diffCommand) }),
    ...flowHandlers({ ...parts, hub: new FlowHub(deps) }),
    ...netConfHandlers(deps),
    ...eventHandlers(store, clock),
    ...auditHandlers(deps.audit),
    ...diagHandlers(parts),
  };
}
