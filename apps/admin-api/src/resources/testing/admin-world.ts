/** The handlers over a real store and nodes in memory. */
import { type AuditRecord, ROUTES } from '@canal/admin-schema';
import type { AddressesMessage, AgentAnswer, NetworkStatusMessage, PeerMessage } from '@canal/agent-protocol';
import type { AgentStatusMessage, EndpointStatusMessage, FlowRecord } from '@canal/agent-protocol';
import type { PolicyStatusMessage, RuleCountMessage } from '@canal/agent-protocol';
import {
  ADDRESS_RELEASE_REQUEST,
  annotationKeys,
  CANALS_ANNOTATIONS,
  DEFAULT_ANNOTATION_PREFIX,
} from '@canal/api-schema';
import { FakeNodes } from '@canal/node-api/testing';
// eslint-disable-next-line @nx/enforce-module-boundaries -- of tests alone
import { createEmbeddedServer } from '@canal/store-embedded';
import { createKubeStore, fixedCredentials, Secret } from '@canal/store-kube';
import { CONFIG_MAPS, type KubeObject, NAMESPACES, NODES, type Store, StoreError } from '@canal/store-port';
import { createSystemClock } from '@canal/telemetry';
// eslint-disable-next-line @nx/enforce-module-boundaries -- of tests alone
import { createCapturedLogger, createFakeClock, type FakeClock, waitFor } from '@canal/testing';
import { unwrap } from 'net-types';
import type { Call, Handler, Handlers, OperationId } from '../../handler.ts';
import { ClusterNodes } from '../cluster-nodes.ts';
import { createHandlers } from '../handlers.ts';

export const KEYS = unwrap(annotationKeys(DEFAULT_ANNOTATION_PREFIX));
export const CONFIG_MAP = { namespace: 'canal-system', name: 'canal-config' };
export const NOW = Date.parse('2026-11-21T12:00:00.000Z');

type AnswerOf<Id extends OperationId> = Awaited<ReturnType<Handler<Id>>>;

interface CallInput {
  readonly params?: unknown;
  readonly query?: unknown;
  readonly body?: unknown;
  readonly ifMatch?: readonly string[];
  readonly dryRun?: boolean;
  readonly lastEventId?: string;
  readonly signal?: AbortSignal;
}

/** What the agents of a node say; changed by tests. */
export interface NodeState {
  readonly network: NetworkStatusMessage;
  readonly policy: AgentStatusMessage;
  peers: readonly PeerMessage[];
  addresses: AddressesMessage;
  endpoints: readonly EndpointStatusMessage[];
  policies: readonly PolicyStatusMessage[];
  counters: readonly RuleCountMessage[];
  flows: readonly FlowRecord[];
  /** Called with each question to explain. */
  explain: () => AgentAnswer;
}

export class AdminWorld implements AsyncDisposable {
  readonly nodes = new FakeNodes();
  readonly audit: AuditRecord[] = [];
  readonly clock: FakeClock = createFakeClock();
  readonly store: Store;
  readonly handlers: Handlers;
  readonly states = new Map<string, NodeState>();
  /** What the API server gives instead of an object that it would refuse. */
  distort: (object: KubeObject) => KubeObject = (object) => object;
  /** The handlers cannot reach the API server. */
  isDown = false;
  readonly #known: ClusterNodes;
  readonly #server = createEmbeddedServer({ tokens: [{ token: 'test', user: 'admin-api' }] });
  readonly #end = new AbortController();
  readonly #running: Promise<void>;

  constructor() {
    const listener = this.#server.listen({ hostname: '127.0.0.1', port: 0 });
    const connection = { baseUrl: listener.url, credentials: fixedCredentials({ token: new Secret('test') }) };
    this.store = createKubeStore({ connection, clock: createSystemClock() });
    const log = createCapturedLogger();
    const store = this.#distorting(this.store);
    this.#known = new ClusterNodes({ store, keys: KEYS, annotations: CANALS_ANNOTATIONS, log });
    this.#running = this.#known.run(this.#end.signal);
    this.handlers = createHandlers({
      store,
      nodes: this.#known,
      nodeApi: this.nodes,
      keys: KEYS,
      configMap: CONFIG_MAP,
      audit: { list: () => this.audit },
      diffCommand: [process.execPath, '--bun', `${import.meta.dirname}/../diff-child.fixture.ts`],
      version: 'test',
      clock: this.clock,
      timeMs: () => NOW,
      random: () => 0.5,
      log,
    });
  }

  /** With agents that answer well, one after the other. */
  async addNodes(...names: readonly string[]): Promise<void> {
    for (const name of names) await this.addNode(name);
  }

  async addNode(name: string, object: { readonly annotations?: Readonly<Record<string, string>> } = {}): Promise<void> {
    const number = this.states.size + 1;
    const podCIDR = `10.244.${number}.0/24`;
    const address = `192.168.0.${number}`;
    await this.store.create(NODES, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name,
        annotations: {
          [KEYS.subnetManager]: 'true',
          [KEYS.backendType]: 'vxlan',
          [KEYS.backendData]: '{"VNI":1,"VtepMAC":"0a:58:0a:f4:01:00"}',
          [KEYS.publicIp]: address,
          ...object.annotations,
        },
      },
      spec: { podCIDR, podCIDRs: [podCIDR] },
      status: { addresses: [{ type: 'InternalIP', address }] },
    });
    this.#serve(name, podCIDR, address);
    await waitFor(`node ${name}`, () => this.#known.inSync && this.#known.get(name) !== undefined);
  }

  async removeNode(name: string): Promise<void> {
    await this.store.delete(NODES, name);
    await waitFor(`the end of node ${name}`, () => this.#known.get(name) === undefined);
  }

  /** The Node objects are all known, if there are any or not. */
  async inSync(): Promise<void> {
    await waitFor('the nodes', () => this.#known.inSync);
  }

  async addNamespace(name: string, labels: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.store.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
  }

  state(name: string): NodeState {
    const state = this.states.get(name);
    if (state === undefined) throw new Error(`there is no node ${name}`);
    return state;
  }

  /** As the server calls: the query read by the route's schema, the answer checked by it. */
  async call<Id extends Exclude<OperationId, 'streamFlows'>>(id: Id, input: CallInput = {}): Promise<AnswerOf<Id>> {
    const handler = this.handlers[id] as unknown as (call: Call<Id>) => Promise<AnswerOf<Id>>;
    const answer = await handler(this.callOf(id, input));
    const route = ROUTES.find((one) => one.id === id);
    route?.answer.schema.parse((answer as { readonly body: unknown }).body);
    return answer;
  }

  callOf<Id extends OperationId>(id: Id, input: CallInput = {}): Call<Id> {
    const route = ROUTES.find((one) => one.id === id) as {
      readonly params?: { parse: (value: unknown) => unknown };
      readonly query?: { parse: (value: unknown) => unknown };
      readonly body?: { parse: (value: unknown) => unknown };
    };
    const call = {
      params: route.params?.parse(input.params ?? {}),
      query: route.query?.parse(input.query ?? {}),
      body: route.body?.parse(input.body ?? {}),
      user: 'somebody',
      requestId: 'request',
      dryRun: input.dryRun ?? false,
      ifMatch: input.ifMatch,
      lastEventId: input.lastEventId,
      signal: input.signal ?? this.#end.signal,
    };
    return call as unknown as Call<Id>;
  }

  /** Lets time pass until the work is done: questions wait by the fake clock. */
  async passTime<T>(work: Promise<T>): Promise<T> {
    const pending = { is: true };
    const end = (): void => {
      pending.is = false;
    };
    work.then(end, end);
    for (let waited = 0; waited < 100 && pending.is; waited++) await this.clock.advance(100);
    return await work;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#running;
    await this.#server.close();
  }

  #distorting(store: Store): Store {
    const whenUp = async <T>(work: () => Promise<T>): Promise<T> => {
      if (this.isDown) throw new StoreError('unavailable', 'connection refused');
      return await work();
    };
    const distort = (object: KubeObject): KubeObject => this.distort(object);
    const only = (may: boolean, what: string): void => {
      if (!may) throw new Error(`the ClusterRole of the admin API (deploy/kustomize/admin-rbac.yaml) has no ${what}`);
    };
    const refuse = (what: string) => (): never => {
      throw new Error(`the admin API does not ${what}`);
    };
    return {
      watch(type, parse, options, signal) {
        only(type === NODES, `watch of ${type.plural}`);
        return store.watch(type, (object) => parse(distort(object)), options, signal);
      },
      get: (type, name, namespace) =>
        whenUp(async () => {
          only(type === CONFIG_MAPS, `get of ${type.plural}`);
          const found = await store.get(type, name, namespace);
          return found && distort(found);
        }),
      list: (type, options) => whenUp(async () => (await store.list(type, options)).map(distort)),
      mergePatch: (type, name, patch, options) =>
        whenUp(async () => {
          const isRequest = type === NODES && options?.subresource === 'status' && isReleaseRequest(patch);
          only(type === CONFIG_MAPS || isRequest, `patch of ${type.plural}`);
          return await store.mergePatch(type, name, patch, options);
        }),
      create: refuse('create'),
      update: refuse('update'),
      delete: refuse('delete'),
    };
  }

  #serve(node: string, subnet: string, address: string): void {
    const lastSync = '2026-11-21T11:59:00.000Z';
    const own = { version: '0.1.0', node, ready: true, notes: [], lastSync };
    const prefix = subnet.replace('.0/24', '');
    const state: NodeState = {
      network: {
        ...own,
        backend: 'vxlan',
        podMtuBytes: 1450,
        addresses: [address],
        leases: [{ family: 4, subnet }],
      },
      policy: {
        ...own,
        strict: false,
        streams: [],
        counts: { endpoints: 1, isolated: 0, policies: 0, chains: 0, sets: 0, members: 0 },
      },
      peers: [],
      addresses: {
        pools: [{ subnet, capacity: '253', inUse: 1, leaked: 0 }],
        addresses: [{ address: `${prefix}.2`, state: 'in-use', containerId: `c-${node}`, interface: 'eth0' }],
      },
      endpoints: [],
      policies: [],
      counters: [],
      flows: [],
      explain: () => ({ ok: false, code: 'not-found', message: 'there is no such pod' }),
    };
    this.states.set(node, state);
    this.nodes.serve(node, 'flanneld', async function* network({ op }) {
      await Promise.resolve();
      if (op === 'network-status') yield { ok: true, value: state.network };
      else if (op === 'peers') yield { ok: true, value: state.peers };
      else yield { ok: true, value: state.addresses };
    });
    this.nodes.serve(node, 'policy-agent', async function* policy(request) {
      await Promise.resolve();
      if (request.op === 'status') yield { ok: true, value: state.policy };
      else if (request.op === 'endpoints') yield { ok: true, value: state.endpoints };
      else if (request.op === 'policies') yield { ok: true, value: state.policies };
      else if (request.op === 'counters') yield { ok: true, value: state.counters };
      else if (request.op === 'explain') yield state.explain();
      else if (request.op === 'flows') {
        const { last, denied } = request;
        const meant = state.flows.filter(({ verdict }) => !denied || verdict === 'deny');
        for (const value of last === 0 ? [] : meant.slice(-last)) yield { ok: true, value };
      }
    });
  }
}

/** All that the admission policy lets the admin API write of a Node. */
function isReleaseRequest(patch: unknown): boolean {
  const { metadata, ...others } = patch as { readonly metadata?: { readonly annotations?: object } };
  const { annotations = {}, ...rest } = metadata ?? {};
  const names = Object.keys(annotations);
  return [others, rest].every((part) => Object.keys(part).length === 0) && names.join() === ADDRESS_RELEASE_REQUEST;
}
