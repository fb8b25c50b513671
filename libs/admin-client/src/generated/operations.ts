/** Generated from docs/openapi.json by generate.ts: not to be edited. */
import type { CallTarget, NoInput } from '../call-target.ts';
import type {
  AddressAssignmentList,
  AddressPoolList,
  AddressRelease,
  AuditRecordList,
  ClusterEventList,
  Diagnosis,
  DiffRequest,
  EndpointList,
  Explanation,
  Flow,
  FlowList,
  FlowQuestion,
  LeaseList,
  NetConf,
  NetConfVerdict,
  Node,
  NodeList,
  PolicyDiff,
  PolicyList,
  ReleaseRequest,
} from './types.ts';

export interface Operations {
  /** Nodes, with the state of their agents. Role: view. */
  readonly listNodes: {
    readonly input: {
      readonly query?: { readonly limit?: number | undefined; readonly cursor?: string | undefined } | undefined;
    };
    readonly answer: NodeList;
  };
  /** One node, with its peers. Role: view. */
  readonly getNode: { readonly input: { readonly path: { readonly name: string } }; readonly answer: Node };
  /** Pod subnets of the nodes. Role: view. */
  readonly listLeases: {
    readonly input: {
      readonly query?: { readonly limit?: number | undefined; readonly cursor?: string | undefined } | undefined;
    };
    readonly answer: LeaseList;
  };
  /** Pods on their nodes, with the policies that isolate them. Role: view. */
  readonly listEndpoints: {
    readonly input: {
      readonly query?:
        | {
            readonly limit?: number | undefined;
            readonly cursor?: string | undefined;
            readonly namespace?: string | undefined;
            readonly node?: string | undefined;
          }
        | undefined;
    };
    readonly answer: EndpointList;
  };
  /** Policies, whom they select, and what of them could not be read. Role: view. */
  readonly listPolicies: {
    readonly input: {
      readonly query?:
        | {
            readonly limit?: number | undefined;
            readonly cursor?: string | undefined;
            readonly namespace?: string | undefined;
          }
        | undefined;
    };
    readonly answer: PolicyList;
  };
  /** Whether a flow passes, and why. Role: view. */
  readonly explain: {
    readonly input: { readonly body: FlowQuestion; readonly idempotencyKey?: string | undefined };
    readonly answer: Explanation;
  };
  /** Which flows would open or close if objects were applied or removed. Role: view. */
  readonly diff: {
    readonly input: { readonly body: DiffRequest; readonly idempotencyKey?: string | undefined };
    readonly answer: PolicyDiff;
  };
  /** Verdicts that the nodes remember, newest first. Role: view. */
  readonly listFlows: {
    readonly input: {
      readonly query?:
        | {
            readonly limit?: number | undefined;
            readonly cursor?: string | undefined;
            readonly node?: string | undefined;
            readonly verdict?: 'allow' | 'deny' | undefined;
            readonly namespace?: string | undefined;
          }
        | undefined;
    };
    readonly answer: FlowList;
  };
  /** Addresses of each node: capacity, in use, leaked. Role: view. */
  readonly listAddressPools: {
    readonly input: {
      readonly query?:
        | {
            readonly limit?: number | undefined;
            readonly cursor?: string | undefined;
            readonly node?: string | undefined;
          }
        | undefined;
    };
    readonly answer: AddressPoolList;
  };
  /** Who has which address. Role: view. */
  readonly listAddresses: {
    readonly input: {
      readonly query?:
        | {
            readonly limit?: number | undefined;
            readonly cursor?: string | undefined;
            readonly node?: string | undefined;
            readonly state?: 'in-use' | 'leaked' | undefined;
          }
        | undefined;
    };
    readonly answer: AddressAssignmentList;
  };
  /** Gives a leaked address back at once; the node judges whether it is leaked. Role: operate. */
  readonly releaseAddress: {
    readonly input: {
      readonly path: { readonly address: string };
      readonly query?: { readonly dryRun?: boolean | undefined } | undefined;
      readonly body: ReleaseRequest;
      readonly idempotencyKey?: string | undefined;
    };
    readonly answer: AddressRelease;
  };
  /** net-conf.json as the ConfigMap has it. Role: view. */
  readonly getNetConf: { readonly input: NoInput; readonly answer: NetConf };
  /** Changes net-conf.json; what agents would not take is refused. Role: admin. */
  readonly putNetConf: {
    readonly input: {
      readonly query?: { readonly dryRun?: boolean | undefined } | undefined;
      readonly body: NetConf;
      readonly ifMatch: string;
    };
    readonly answer: NetConfVerdict;
  };
  /** Whether agents would take a configuration, and what it would change. Role: view. */
  readonly validateNetConf: {
    readonly input: { readonly body: NetConf; readonly idempotencyKey?: string | undefined };
    readonly answer: NetConfVerdict;
  };
  /** Kubernetes Events of canal, newest first. Role: view. */
  readonly listEvents: {
    readonly input: {
      readonly query?:
        | {
            readonly limit?: number | undefined;
            readonly cursor?: string | undefined;
            readonly namespace?: string | undefined;
          }
        | undefined;
    };
    readonly answer: ClusterEventList;
  };
  /** Who changed what through this API, newest first. Role: admin. */
  readonly listAuditRecords: {
    readonly input: {
      readonly query?: { readonly limit?: number | undefined; readonly cursor?: string | undefined } | undefined;
    };
    readonly answer: AuditRecordList;
  };
  /** What a person needs who looks for a fault from afar, without secrets. Role: admin. */
  readonly diagnose: { readonly input: NoInput; readonly answer: Diagnosis };
}

/** Answered with events, each of one value. */
export interface Streams {
  /** Verdicts as they fall. Role: view. */
  readonly streamFlows: {
    readonly input: {
      readonly query?:
        | {
            readonly node?: string | undefined;
            readonly verdict?: 'allow' | 'deny' | undefined;
            readonly namespace?: string | undefined;
          }
        | undefined;
    };
    readonly answer: Flow;
  };
}

export const TARGETS: Readonly<Record<keyof Operations | keyof Streams, CallTarget>> = {
  listNodes: { method: 'GET', path: '/v1/nodes' },
  getNode: { method: 'GET', path: '/v1/nodes/{name}' },
  listLeases: { method: 'GET', path: '/v1/leases' },
  listEndpoints: { method: 'GET', path: '/v1/endpoints' },
  listPolicies: { method: 'GET', path: '/v1/policies' },
  explain: { method: 'POST', path: '/v1/explain' },
  diff: { method: 'POST', path: '/v1/diff' },
  listFlows: { method: 'GET', path: '/v1/flows' },
  streamFlows: { method: 'GET', path: '/v1/flows/stream' },
  listAddressPools: { method: 'GET', path: '/v1/ipam/pools' },
  listAddresses: { method: 'GET', path: '/v1/ipam/addresses' },
  releaseAddress: { method: 'POST', path: '/v1/ipam/addresses/{address}/release' },
  getNetConf: { method: 'GET', path: '/v1/config/net-conf' },
  putNetConf: { method: 'PUT', path: '/v1/config/net-conf' },
  validateNetConf: { method: 'POST', path: '/v1/config/net-conf/validate' },
  listEvents: { method: 'GET', path: '/v1/events' },
  listAuditRecords: { method: 'GET', path: '/v1/audit' },
  diagnose: { method: 'GET', path: '/v1/diag' },
};
