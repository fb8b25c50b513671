/** What a self-test is made on, in a cluster or a lab: pods of its own on the chosen nodes, and a way to let them try things. */
import type { KubeObject } from '@canal/store-port';
import type { DialAnswer, DialRequest } from './dial.ts';
import type { TestResult } from './test-result.ts';

export interface TestGround {
  readonly namespace: string;
  /** One of each on every node that could start them. Clients try, servers answer. */
  readonly clients: readonly TestPod[];
  readonly servers: readonly TestPod[];
  readonly nodes: readonly TestNode[];
  /** Whether things can be tried from a node itself. */
  readonly nodesDial: boolean;
  /** A service in front of all servers, by address and by name. */
  readonly service: TestService | Absent;
  readonly apiServer: TestService | Absent;
  /** Whether names of services can be asked for. */
  readonly dns: 'there' | Absent;
  /** What came out while the ground was laid: whether the pods start. */
  readonly results: readonly TestResult[];
  /** In the order of the requests. */
  dial(from: DialOrigin, requests: readonly DialRequest[]): Promise<readonly DialAnswer[]>;
  applyPolicy(policy: KubeObject): Promise<void>;
}

export interface TestPod {
  readonly name: string;
  readonly node: string;
  readonly ips: readonly string[];
}

export interface TestNode {
  readonly name: string;
  readonly ips: readonly string[];
  /** TCP: of the kubelet. A node that refuses is reached, too. */
  readonly port: number;
}

export interface TestService {
  readonly name: string;
  readonly ips: readonly string[];
  readonly port: number;
}

/** Why a test is left out. */
export interface Absent {
  readonly absent: string;
}

export type DialOrigin = { readonly pod: string } | { readonly node: string };

export const ROLE_LABEL = 'canal.io/test-role';
/** Its value is the pod's name. */
export const POD_LABEL = 'canal.io/test-pod';
