import {
  type FieldTree,
  type KubeObject,
  NAMESPACES,
  NODES,
  type Parsed,
  PODS,
  SERVICE_ACCOUNTS,
  type Store,
  StoreError,
  type StoreEvent,
} from '@canal/store-port';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { eventually } from './api/eventually.ts';

/** A store under test, with an API server (or what stands for one) behind it. */
export interface StoreSubject {
  readonly store: Store;
  /** Ends the connections that are open now; the store may connect again at once. */
  readonly cut?: () => void;
  /** While on, connections stay open and carry nothing. The store's idle time must be short here. */
  readonly silence?: (on: boolean) => void;
  /** Makes the server forget its history up to now. */
  readonly compact?: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface StoreContractOptions {
  readonly name: string;
  readonly start: () => Promise<StoreSubject>;
}

/** What every adapter of the store port must do. It makes its own nodes, named `contract-…`. */
export function describeStoreContract(options: StoreContractOptions): void {
  describe(`store contract: ${options.name}`, () => {
    let subject: StoreSubject | undefined;
    const started = (): StoreSubject => {
      if (subject === undefined) throw new Error('the subject has not been started');
      return subject;
    };
    beforeAll(async () => {
      subject = await options.start();
    });
    afterEach(async () => {
      started().silence?.(false);
      const { store } = started();
      for (const node of await store.list(NODES)) {
        if (node.metadata.name.startsWith(PREFIX)) await store.delete(NODES, node.metadata.name);
      }
    });
    afterAll(async () => {
      await subject?.stop();
    });
    describeRequests(started);
    describeWatch(started);
    describeFaults(started);
  });
}

const PREFIX = 'contract-';

function describeRequests(started: () => StoreSubject): void {
  const failure = async (work: Promise<unknown>): Promise<string> => {
    const error: unknown = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error instanceof StoreError) return error.code;
    throw new Error(`expected a StoreError, got ${String(error)}`);
  };

  describe('requests', () => {
    test('create, get, update, patch, delete', async () => {
      const { store } = started();
      const name = `${PREFIX}a`;
      const created = await store.create(NODES, { metadata: { name }, spec: { podCIDR: '10.88.1.0/24' } });
      expect(created.metadata.resourceVersion).toMatch(/^\d+$/);
      const updated = await store.update(NODES, { ...created, metadata: { ...created.metadata, labels: { a: 'b' } } });
      expect(updated.metadata.labels).toMatchObject({ a: 'b' });
      const annotations = { 'flannel.alpha.coreos.com/public-ip': '192.0.2.1' };
      const patched = await store.mergePatch(NODES, name, { metadata: { annotations } });
      expect(patched.metadata.annotations).toMatchObject(annotations);
      const status = { conditions: [{ type: 'NetworkUnavailable', status: 'False' }] };
      const withStatus = await store.mergePatch(NODES, name, { status }, { subresource: 'status' });
      expect(withStatus['status']).toMatchObject({ conditions: [{ type: 'NetworkUnavailable', status: 'False' }] });
      expect((await store.get(NODES, name))?.metadata.labels).toMatchObject({ a: 'b' });
      await store.delete(NODES, name);
      expect(await store.get(NODES, name)).toBeUndefined();
    });

    test('failures have a stable code', async () => {
      const { store } = started();
      const name = `${PREFIX}a`;
      const created = await store.create(NODES, { metadata: { name } });
      await store.mergePatch(NODES, name, { metadata: { labels: { a: 'b' } } });
      expect(await failure(store.create(NODES, { metadata: { name } }))).toBe('already-exists');
      expect(await failure(store.update(NODES, created))).toBe('conflict');
      expect(await failure(store.delete(NODES, `${PREFIX}absent`))).toBe('not-found');
      expect(await failure(store.create(NODES, { metadata: { name: 'Not Valid' } }))).toBe('invalid');
      expect(await failure(store.create(NODES, { metadata: { name: `${PREFIX}b` }, sepc: {} }))).toBe('invalid');
    });

    test('list, with kind and apiVersion, all or selected', async () => {
      const { store } = started();
      await store.create(NODES, { metadata: { name: `${PREFIX}a`, labels: { c: '1' } } });
      await store.create(NODES, { metadata: { name: `${PREFIX}b`, labels: { c: '2' } } });
      const both = await store.list(NODES, { labelSelector: 'c in (1,2)' });
      expect(both.map((node) => node.metadata.name)).toEqual([`${PREFIX}a`, `${PREFIX}b`]);
      expect(both[0]).toMatchObject({ kind: 'Node', apiVersion: 'v1' });
      const one = await store.list(NODES, { fieldSelector: `metadata.name=${PREFIX}b` });
      expect(one.map((node) => node.metadata.name)).toEqual([`${PREFIX}b`]);
    });

    test('namespaced objects are reached through their namespace', async () => {
      const { store } = started();
      const { name: namespace } = (
        await store.create(NAMESPACES, { metadata: { name: `${PREFIX}${String(Date.now())}` } })
      ).metadata;
      expect(await store.list(PODS, { namespace })).toEqual([]);
      expect(await store.get(PODS, 'absent', namespace)).toBeUndefined();
      await store.delete(NAMESPACES, namespace);
    });
  });
}

/** Follows the nodes of the test and keeps what it is told. */
class NodeFollower {
  readonly state = new Map<string, Parsed<string>>();
  readonly events: StoreEvent<string>[] = [];
  readonly #abort = new AbortController();
  readonly #done: Promise<void>;

  constructor(store: Store) {
    this.#done = this.#follow(store.watch(NODES, labelOf, { labelSelector: 'followed' }, this.#abort.signal));
  }

  count(type: StoreEvent<string>['type']): number {
    return this.events.filter((event) => event.type === type).length;
  }

  /** Waits until what it was told equals this. */
  async shows(expected: Readonly<Record<string, string>>, timeoutMs = 20_000): Promise<void> {
    const text = JSON.stringify(sorted(Object.entries(expected)));
    const told = (): string =>
      JSON.stringify(sorted([...this.state].map(([key, value]) => [key, value.ok ? value.value : value.error])));
    await eventually(() => Promise.resolve(told()), text, timeoutMs);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#done;
  }

  async #follow(events: AsyncIterable<StoreEvent<string>>): Promise<void> {
    for await (const event of events) {
      this.events.push(event);
      if (event.type === 'put') this.state.set(event.key, event.parsed);
      if (event.type === 'delete') this.state.delete(event.key);
    }
  }
}

function labelOf(object: KubeObject): Parsed<string> {
  const value = object.metadata.labels?.['followed'] ?? '';
  return value === 'unreadable' ? { ok: false, error: 'unreadable' } : { ok: true, value };
}

function sorted(entries: readonly (readonly [string, string])[]): readonly (readonly [string, string])[] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
}

async function createNode(store: Store, name: string, followed: string): Promise<void> {
  await store.create(NODES, { metadata: { name: `${PREFIX}${name}`, labels: { followed } } });
}

async function relabel(store: Store, name: string, followed: string | null): Promise<void> {
  await store.mergePatch(NODES, `${PREFIX}${name}`, { metadata: { labels: { followed } } });
}

function describeWatch(started: () => StoreSubject): void {
  describe('watch', () => {
    test('tells what exists, then in-sync, then what changes; and ends when asked', async () => {
      const { store } = started();
      await createNode(store, 'a', '1');
      const follower = new NodeFollower(store);
      await eventually(() => Promise.resolve(follower.count('in-sync')), 1);
      expect(follower.state.get(`${PREFIX}a`), 'told before in-sync').toEqual({ ok: true, value: '1' });
      await relabel(store, 'a', '2');
      await createNode(store, 'b', '1');
      await follower.shows({ [`${PREFIX}a`]: '2', [`${PREFIX}b`]: '1' });
      await store.delete(NODES, `${PREFIX}a`);
      await relabel(store, 'b', null);
      await follower.shows({});
      await follower.stop();
      expect(follower.count('in-sync')).toBe(1);
    });

    test('keeps what cannot be parsed known by its key', async () => {
      const { store } = started();
      await createNode(store, 'a', 'unreadable');
      const follower = new NodeFollower(store);
      await follower.shows({ [`${PREFIX}a`]: 'unreadable' });
      await relabel(store, 'a', 'readable');
      await follower.shows({ [`${PREFIX}a`]: 'readable' });
      await follower.stop();
    });

    test('with fields, tells what these hold, from the list and from the watch', async () => {
      const { store } = started();
      const namespace = `${PREFIX}${String(Date.now())}`;
      await store.create(NAMESPACES, { metadata: { name: namespace } });
      await store.create(SERVICE_ACCOUNTS, { metadata: { name: 'default', namespace } });
      await store.create(PODS, pod(namespace, 'listed', { hostNetwork: true }));
      const stop = new AbortController();
      const told = new Map<string, unknown>();
      const following = (async () => {
        const parse = (object: KubeObject): Parsed<unknown> => ({ ok: true, value: only(POD_FIELDS, object) });
        for await (const event of store.watch(PODS, parse, { namespace, fields: POD_FIELDS }, stop.signal)) {
          if (event.type === 'put') told.set(event.key, event.parsed.ok && event.parsed.value);
          if (event.type === 'delete') told.delete(event.key);
        }
      })();
      const agrees = async (names: readonly string[]): Promise<void> => {
        const objects = await store.list(PODS, { namespace });
        expect(objects.map(({ metadata }) => metadata.name)).toEqual(names);
        const wanted = objects.map((object) => [`${namespace}/${object.metadata.name}`, only(POD_FIELDS, object)]);
        await eventually(() => Promise.resolve(JSON.stringify([...told].sort())), JSON.stringify(wanted));
      };
      await agrees(['listed']);
      expect(told.get(`${namespace}/listed`)).toMatchObject({
        metadata: { labels: { app: 'listed', empty: '' }, annotations: { kept: 'yes' } },
        spec: { hostNetwork: true, containers: [{ ports: [{ name: 'http', containerPort: 80, protocol: 'TCP' }] }] },
      });
      await store.create(PODS, pod(namespace, 'watched', {}));
      const status = { phase: 'Running', podIP: '10.1.2.3', podIPs: [{ ip: '10.1.2.3' }, { ip: 'fd00::3' }] };
      await store.mergePatch(PODS, 'watched', { status }, { namespace, subresource: 'status' });
      await store.mergePatch(PODS, 'listed', { metadata: { labels: { app: null } } }, { namespace });
      await agrees(['listed', 'watched']);
      for (const name of ['listed', 'watched']) await store.delete(PODS, name, namespace);
      await agrees([]);
      stop.abort();
      await following;
      await store.delete(NAMESPACES, namespace);
    });
  });
}

const POD_FIELDS = {
  metadata: { uid: true, creationTimestamp: true, labels: true, annotations: { kept: true } },
  spec: {
    nodeName: true,
    hostNetwork: true,
    containers: { ports: { name: true, containerPort: true, protocol: true } },
    initContainers: { ports: { name: true } },
  },
  status: { phase: true, podIP: true, podIPs: { ip: true } },
} as const;

/** On a node that does not exist, and without grace: it goes when it is told to. */
function pod(namespace: string, name: string, spec: object): KubeObject {
  return {
    metadata: { name, namespace, labels: { app: name, empty: '' }, annotations: { kept: 'yes', left: 'out' } },
    spec: {
      nodeName: `${PREFIX}nowhere`,
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'c', image: 'i', ports: [{ name: 'http', containerPort: 80, protocol: 'TCP' }] }],
      initContainers: [{ name: 'i', image: 'i' }],
      ...spec,
    },
  };
}

/** These fields, without those that say nothing: servers write `false` and empty lists, or leave them out. */
function only(fields: FieldTree, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => only(fields, item));
  const object = value as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, tree]) => {
      const inner = object[name];
      if (inner === undefined || inner === false) return [];
      return [[name, tree === true ? inner : only(tree, inner)] as const];
    }),
  );
}

function describeFaults(started: () => StoreSubject): void {
  describe('faults', () => {
    test('a connection that is cut again and again loses nothing', async ({ skip }) => {
      const { store, cut } = started();
      if (cut === undefined) return skip('the subject cannot cut connections');
      const follower = new NodeFollower(store);
      await eventually(() => Promise.resolve(follower.count('in-sync')), 1);
      const cutting = setInterval(cut, 100);
      const expected: Record<string, string> = {};
      for (let round = 0; round < 60; round += 1) {
        const name = `n${String(round % 12)}`;
        // A write may be cut too: whether it was done is then asked.
        await retry(async () => {
          if (expected[`${PREFIX}${name}`] === undefined) await createNode(store, name, String(round)).catch(ifExists);
          await relabel(store, name, String(round));
        });
        expected[`${PREFIX}${name}`] = String(round);
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
      clearInterval(cutting);
      await follower.shows(expected);
      expect(follower.events.filter((event) => event.type === 'connection' && !event.connected).length).toBeGreaterThan(
        0,
      );
      expect(follower.count('in-sync')).toBe(1);
      await follower.stop();
    }, 60_000);

    test('a history that was forgotten while the connection was cut is made up by a list', async ({ skip }) => {
      const { store, cut, compact } = started();
      if (cut === undefined || compact === undefined) return skip('the subject can neither be cut nor compacted');
      await createNode(store, 'gone', '1');
      const follower = new NodeFollower(store);
      await follower.shows({ [`${PREFIX}gone`]: '1' });
      const cutting = setInterval(cut, 5);
      await retry(() => store.delete(NODES, `${PREFIX}gone`).catch(ifAbsent));
      await retry(() => createNode(store, 'new', '1').catch(ifExists));
      await compact();
      clearInterval(cutting);
      await follower.shows({ [`${PREFIX}new`]: '1' });
      expect(follower.count('in-sync')).toBe(1);
      await follower.stop();
    }, 60_000);

    test('a connection that carries nothing any more is given up', async ({ skip }) => {
      const { store, silence } = started();
      if (silence === undefined) return skip('the subject cannot be silenced');
      const follower = new NodeFollower(store);
      await eventually(() => Promise.resolve(follower.count('in-sync')), 1);
      silence(true);
      await eventually(
        () => Promise.resolve(follower.events.some((event) => event.type === 'connection' && !event.connected)),
        true,
      );
      silence(false);
      await retry(() => createNode(store, 'after', '1').catch(ifExists));
      await follower.shows({ [`${PREFIX}after`]: '1' });
      await follower.stop();
    }, 60_000);
  });
}

async function retry(work: () => Promise<void>): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await work();
      return;
    } catch (error) {
      if (!(error instanceof StoreError && error.code === 'unavailable') || tries > 200) throw error;
    }
  }
}

function ifExists(error: unknown): void {
  if (!(error instanceof StoreError && error.code === 'already-exists')) throw error;
}

function ifAbsent(error: unknown): void {
  if (!(error instanceof StoreError && error.code === 'not-found')) throw error;
}
