import { beforeAll, describe, expect, test } from 'vitest';

import { type Answer, type Json, member, metadataOf, nameOf } from './api-client.ts';
import type { ContractContext } from './context.ts';

const STRATEGIC = 'application/strategic-merge-patch+json';
const JSON_PATCH = 'application/json-patch+json';

/** What `kubectl apply`, `edit` and `patch` send: https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/ */
export function describePatches(context: ContractContext): void {
  describeStrategic(context);
  describeJsonPatch(context);
}

function describeStrategic(context: ContractContext): void {
  describe('strategic merge patch', () => {
    const condition = (type: string, status: string): Json => ({ type, status, reason: 'Contract', message: 'm' });
    const port = (number: number, name: string): Json => ({ name, port: number, protocol: 'TCP', targetPort: number });

    async function withService(ports: readonly Json[], use: (path: string) => Promise<void>): Promise<void> {
      const path = `/api/v1/namespaces/${await context.api().namespace()}/services`;
      const service = {
        metadata: { name: 'a' },
        spec: { clusterIP: 'None', selector: { app: 'a', tier: 't' }, ports },
      };
      await context.api().create(path, service);
      await use(`${path}/a`);
    }
    const patched = (path: string, patch: Json): Promise<Answer> => context.api().patch(path, patch, STRATEGIC);
    const portsOf = ({ body }: Answer): unknown => member(body, 'spec')['ports'];

    test('merges maps, and removes what is null', async () => {
      await withService([port(80, 'a')], async (path) => {
        const answer = await patched(path, { spec: { selector: { tier: null, zone: 'z' } } });
        expect(answer.status).toBe(200);
        expect(member(answer.body, 'spec')['selector']).toEqual({ app: 'a', zone: 'z' });
      });
    });

    test('merges a list of conditions by type', async () => {
      const node = await context.api().create('/api/v1/nodes', { metadata: { generateName: 'contract-' } });
      const path = `/api/v1/nodes/${nameOf(node)}`;
      await patched(`${path}/status`, { status: { conditions: [condition('A', 'True'), condition('B', 'True')] } });
      const { body } = await patched(`${path}/status`, { status: { conditions: [condition('A', 'False')] } });
      expect(member(body, 'status')['conditions']).toEqual([
        expect.objectContaining({ type: 'A', status: 'False' }),
        expect.objectContaining({ type: 'B', status: 'True' }),
      ]);
      await context.api().delete(path);
    });

    test.each<{ what: string; ports: Json; expected: readonly string[] }>([
      { what: 'adds an item', ports: { ports: [port(82, 'c')] }, expected: ['82 c', '80 a', '81 b'] },
      { what: 'changes an item', ports: { ports: [{ port: 81, name: 'x' }] }, expected: ['80 a', '81 x'] },
      { what: 'deletes an item', ports: { ports: [{ port: 80, $patch: 'delete' }] }, expected: ['81 b'] },
      {
        what: 'replaces the list',
        ports: { ports: [port(90, 'n'), { $patch: 'replace' }] },
        expected: ['90 n'],
      },
      {
        what: 'orders the list, with items that are not named where they stood',
        ports: { ports: [port(82, 'c')], '$setElementOrder/ports': [{ port: 82 }, { port: 80 }] },
        expected: ['82 c', '80 a', '81 b'],
      },
    ])('$what of a list with a merge key', async ({ ports, expected }) => {
      await withService([port(80, 'a'), port(81, 'b')], async (path) => {
        const answer = await patched(path, { spec: ports });
        expect(answer.status).toBe(200);
        const found = portsOf(answer);
        expect(
          Array.isArray(found) ? found.map((item: Json) => `${String(item['port'])} ${String(item['name'])}`) : [],
        ).toEqual(expected);
      });
    });

    test('merges lists of values, and takes values out', async () => {
      const path = `/api/v1/namespaces/${await context.api().namespace()}/configmaps`;
      const finalizers = ['example.com/a', 'example.com/b'];
      await context.api().create(path, { metadata: { name: 'a', finalizers } });
      const finalizersOf = ({ body }: Answer): unknown => metadataOf(body)['finalizers'];
      const added = await patched(`${path}/a`, { metadata: { finalizers: ['example.com/c'] } });
      expect(finalizersOf(added)).toEqual(expect.arrayContaining([...finalizers, 'example.com/c']));
      const removal = { '$deleteFromPrimitiveList/finalizers': ['example.com/a', 'example.com/c'] };
      expect(finalizersOf(await patched(`${path}/a`, { metadata: removal }))).toEqual(['example.com/b']);
      await patched(`${path}/a`, { metadata: { finalizers: null } });
    });

    test('replaces lists without a merge key, and maps that say so', async () => {
      const path = `/apis/networking.k8s.io/v1/namespaces/${await context.api().namespace()}/networkpolicies`;
      const from = (label: string): Json => ({ podSelector: { matchLabels: { label } } });
      const spec = { podSelector: { matchLabels: { a: '1', b: '2' } }, ingress: [{ from: [from('a'), from('b')] }] };
      await context.api().create(path, { metadata: { name: 'p' }, spec });
      const { body } = await patched(`${path}/p`, {
        spec: { podSelector: { matchLabels: { $patch: 'replace', c: '3' } }, ingress: [{ from: [from('c')] }] },
      });
      expect(body['spec']).toMatchObject({ ingress: [{ from: [from('c')] }] });
      expect(member(member(body, 'spec'), 'podSelector')['matchLabels']).toEqual({ c: '3' });
    });

    test('without the merge key of an item is refused, and an unknown field by name', async () => {
      await withService([port(80, 'a')], async (path) => {
        // 500 from a kube-apiserver, which is no better than saying whose fault it is.
        expect((await patched(path, { spec: { ports: [{ name: 'x' }] } })).status).toBeGreaterThanOrEqual(400);
        const unknown = await patched(path, { spec: { selectors: {} } });
        expect([400, 422]).toContain(unknown.status);
        expect(String(unknown.body['message'])).toContain('unknown field "spec.selectors"');
      });
    });

    // A kube-apiserver answers some of these with 500, which is no better than saying whose fault it is.
    test.each<{ what: string; spec: Json }>([
      { what: 'a directive that does not exist', spec: { selector: { $patch: 'merge', a: '1' } } },
      { what: 'an item to merge by directive', spec: { ports: [{ ...port(80, 'x'), $patch: 'merge' }] } },
      { what: 'an item to delete without its key', spec: { ports: [{ name: 'a', $patch: 'delete' }] } },
      {
        what: 'an order that leaves an item of the patch out',
        spec: { ports: [port(82, 'c')], '$setElementOrder/ports': [{ port: 80 }] },
      },
      { what: 'keys to retain that leave one of the patch out', spec: { selector: { $retainKeys: ['b'], c: '1' } } },
    ])('$what is refused', async ({ spec }) => {
      await withService([port(80, 'a'), port(81, 'b')], async (path) => {
        expect((await patched(path, { spec })).status).toBeGreaterThanOrEqual(400);
        expect(portsOf(await context.api().get(path))).toEqual([port(80, 'a'), port(81, 'b')]);
      });
    });

    test('a directive about what is not there is dropped with the map that it stands in', async () => {
      const path = `/api/v1/namespaces/${await context.api().namespace()}/configmaps`;
      await context.api().create(path, { metadata: { name: 'a' } });
      const owner = { apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u' };
      const { status, body } = await patched(`${path}/a`, {
        metadata: { ownerReferences: [owner, { $patch: 'replace' }] },
        data: { $patch: 'replace', a: '1' },
      });
      expect(status).toBe(200);
      expect(metadataOf(body)['ownerReferences']).toEqual([owner]);
      expect(body).not.toHaveProperty('data');
    });
  });
}

function describeJsonPatch(context: ContractContext): void {
  describe('JSON patch', () => {
    let path = '';
    beforeAll(async () => {
      path = `/api/v1/namespaces/${await context.api().namespace()}/configmaps`;
    });
    async function patched(operations: unknown): Promise<Answer> {
      const annotations = { 'example.com/a': '1' };
      const created = await context.api().create(path, {
        metadata: { generateName: 'j-', annotations, finalizers: ['example.com/a', 'example.com/b'] },
        data: { k: 'v' },
      });
      const answer = await context.api().patch(`${path}/${nameOf(created)}`, operations, JSON_PATCH);
      await context.api().patch(`${path}/${nameOf(created)}`, { metadata: { finalizers: null } });
      return answer;
    }

    test.each<{ what: string; operations: readonly Json[]; expected: Json }>([
      { what: 'add', operations: [{ op: 'add', path: '/data/n', value: '1' }], expected: { data: { k: 'v', n: '1' } } },
      { what: 'replace', operations: [{ op: 'replace', path: '/data/k', value: '1' }], expected: { data: { k: '1' } } },
      {
        what: 'remove and add by an escaped name',
        operations: [
          { op: 'remove', path: '/metadata/annotations/example.com~1a' },
          { op: 'add', path: '/metadata/annotations/example.com~1b', value: '2' },
        ],
        expected: { metadata: { annotations: { 'example.com/b': '2' } } },
      },
      {
        what: 'insert into and append to a list',
        operations: [
          { op: 'add', path: '/metadata/finalizers/0', value: 'example.com/first' },
          { op: 'add', path: '/metadata/finalizers/-', value: 'example.com/last' },
          { op: 'remove', path: '/metadata/finalizers/1' },
        ],
        expected: { metadata: { finalizers: ['example.com/first', 'example.com/b', 'example.com/last'] } },
      },
      {
        what: 'copy and move',
        operations: [
          { op: 'copy', from: '/data/k', path: '/data/c' },
          { op: 'move', from: '/data/k', path: '/data/m' },
        ],
        expected: { data: { c: 'v', m: 'v' } },
      },
      {
        what: 'test that holds',
        operations: [
          { op: 'test', path: '/data/k', value: 'v' },
          { op: 'add', path: '/data/n', value: '1' },
        ],
        expected: { data: { k: 'v', n: '1' } },
      },
    ])('$what', async ({ operations, expected }) => {
      const { status, body } = await patched(operations);
      expect(status).toBe(200);
      expect(body).toMatchObject(expected);
      if (expected['data'] !== undefined) expect(body['data']).toEqual(expected['data']);
    });

    test.each<{ what: string; operations: unknown; status: number }>([
      { what: 'a test that fails', operations: [{ op: 'test', path: '/data/k', value: 'w' }], status: 422 },
      { what: 'a path that is not there', operations: [{ op: 'remove', path: '/data/none' }], status: 422 },
      { what: 'a parent that is not there', operations: [{ op: 'add', path: '/none/n', value: '1' }], status: 422 },
      { what: 'no list', operations: { data: {} }, status: 400 },
      { what: 'an unknown operation', operations: [{ op: 'merge', path: '/data/k', value: '1' }], status: 422 },
      { what: 'a path that is no pointer', operations: [{ op: 'remove', path: 'data' }], status: 422 },
      {
        what: 'more than 10,000 operations',
        operations: Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/data/k', value: 'v' })),
        status: 413,
      },
      {
        what: 'copies that double the object again and again',
        operations: Array.from({ length: 40 }, (_, index) => ({
          op: 'copy',
          from: '/metadata',
          path: `/metadata/c${String(index)}`,
        })),
        status: 422,
      },
    ])('$what is $status', async ({ operations, status }) => {
      const answer = await patched(operations);
      expect([answer.status, answer.body['kind']]).toEqual([status, 'Status']);
    });

    test('all or nothing', async () => {
      await context.api().create(path, { metadata: { name: 'whole' }, data: { k: 'v' } });
      const operations = [
        { op: 'replace', path: '/data/k', value: 'w' },
        { op: 'test', path: '/data/k', value: 'x' },
      ];
      expect((await context.api().patch(`${path}/whole`, operations, JSON_PATCH)).status).toBe(422);
      expect((await context.api().get(`${path}/whole`)).body['data']).toEqual({ k: 'v' });
    });
  });
}
