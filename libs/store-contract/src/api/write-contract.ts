import { describe, expect, test } from 'vitest';

import { type Json, member, metadataOf, nameOf, versionOf } from './api-client.ts';
import type { ContractContext } from './context.ts';

/** Create, update, merge patch, status, delete: https://kubernetes.io/docs/reference/using-api/api-concepts/ */
export function describeWrites(context: ContractContext): void {
  const configMaps = (namespace: string): string => `/api/v1/namespaces/${namespace}/configmaps`;

  describe('create', () => {
    test('gives uid, creationTimestamp and resourceVersion', async () => {
      const namespace = await context.api().namespace();
      const created = await context.api().create(configMaps(namespace), { metadata: { name: 'a' }, data: { k: 'v' } });
      expect(created).toMatchObject({ kind: 'ConfigMap', apiVersion: 'v1', data: { k: 'v' } });
      const metadata = metadataOf(created);
      expect(metadata).toMatchObject({ name: 'a', namespace });
      expect(metadata['uid']).toMatch(/^[0-9a-f-]{36}$/);
      expect(metadata['resourceVersion']).toMatch(/^[1-9]\d*$/);
      expect(metadata['creationTimestamp']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    });

    test('makes a name from generateName', async () => {
      const namespace = await context.api().namespace();
      const make = (): Promise<Json> =>
        context.api().create(configMaps(namespace), { metadata: { generateName: 'auto-' } });
      const names = [nameOf(await make()), nameOf(await make())];
      expect(names[0]).toMatch(/^auto-[a-z0-9]{5,}$/);
      expect(names[0]).not.toBe(names[1]);
    });

    test('of a name that is taken is 409 AlreadyExists', async () => {
      const namespace = await context.api().namespace();
      await context.api().create(configMaps(namespace), { metadata: { name: 'a' } });
      const { status, body } = await context.api().post(configMaps(namespace), { metadata: { name: 'a' } });
      expect(status).toBe(409);
      expect(body).toMatchObject({
        kind: 'Status',
        apiVersion: 'v1',
        status: 'Failure',
        reason: 'AlreadyExists',
        code: 409,
        details: { name: 'a', kind: 'configmaps' },
      });
    });

    test('in a namespace that is not there is 404', async () => {
      const { status, body } = await context.api().post(configMaps('contract-absent'), { metadata: { name: 'a' } });
      expect([status, body['reason']]).toEqual([404, 'NotFound']);
    });

    test('into another namespace than the path names is 400', async () => {
      const namespace = await context.api().namespace();
      const { status } = await context
        .api()
        .post(configMaps(namespace), { metadata: { name: 'a', namespace: 'other' } });
      expect(status).toBe(400);
    });

    test('of another kind than the path names is 400', async () => {
      const namespace = await context.api().namespace();
      const object = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' } };
      expect((await context.api().post(configMaps(namespace), object)).status).toBe(400);
    });

    test('with dryRun=All shows the result and stores nothing', async () => {
      const namespace = await context.api().namespace();
      const { status } = await context.api().post(`${configMaps(namespace)}?dryRun=All`, { metadata: { name: 'a' } });
      expect(status).toBe(201);
      expect((await context.api().get(`${configMaps(namespace)}/a`)).status).toBe(404);
    });
  });

  describe('get', () => {
    test('of what is not there is a 404 Status that names it', async () => {
      const { status, body } = await context.api().get('/api/v1/nodes/contract-absent');
      expect(status).toBe(404);
      expect(body).toMatchObject({
        kind: 'Status',
        status: 'Failure',
        reason: 'NotFound',
        code: 404,
        details: { name: 'contract-absent', kind: 'nodes' },
      });
    });
  });

  describe('update', () => {
    test('with the current resourceVersion replaces, with an old one it is 409 Conflict', async () => {
      const namespace = await context.api().namespace();
      const first = await context.api().create(configMaps(namespace), { metadata: { name: 'a' }, data: { k: '1' } });
      const second = await context.api().put(`${configMaps(namespace)}/a`, { ...first, data: { k: '2' } });
      expect(second).toMatchObject({ status: 200, body: { data: { k: '2' } } });
      expect(BigInt(versionOf(second.body))).toBeGreaterThan(BigInt(versionOf(first)));
      const stale = await context.api().put(`${configMaps(namespace)}/a`, { ...first, data: { k: '3' } });
      expect([stale.status, stale.body['reason']]).toEqual([409, 'Conflict']);
      expect((await context.api().get(`${configMaps(namespace)}/a`)).body['data']).toEqual({ k: '2' });
    });

    test('that changes nothing keeps the resourceVersion', async () => {
      const namespace = await context.api().namespace();
      const first = await context.api().create(configMaps(namespace), { metadata: { name: 'a' }, data: { k: '1' } });
      const again = await context.api().put(`${configMaps(namespace)}/a`, first);
      expect(versionOf(again.body)).toBe(versionOf(first));
    });

    test('cannot change uid or creationTimestamp', async () => {
      const namespace = await context.api().namespace();
      const first = await context.api().create(configMaps(namespace), { metadata: { name: 'a' } });
      const metadata = { ...metadataOf(first), creationTimestamp: '2001-01-01T00:00:00Z', labels: { x: 'y' } };
      const changed = await context.api().put(`${configMaps(namespace)}/a`, { ...first, metadata });
      expect(metadataOf(changed.body)['creationTimestamp']).toBe(metadataOf(first)['creationTimestamp']);
      const other = { ...metadataOf(changed.body), uid: '00000000-0000-0000-0000-000000000000' };
      expect((await context.api().put(`${configMaps(namespace)}/a`, { ...first, metadata: other })).status).toBe(409);
    });

    test('under another name is 400, of what is not there 404', async () => {
      const namespace = await context.api().namespace();
      await context.api().create(configMaps(namespace), { metadata: { name: 'a' } });
      expect((await context.api().put(`${configMaps(namespace)}/a`, { metadata: { name: 'b' } })).status).toBe(400);
      expect((await context.api().put(`${configMaps(namespace)}/c`, { metadata: { name: 'c' } })).status).toBe(404);
    });
  });

  describe('merge patch', () => {
    test('merges objects, replaces lists and values, and removes what is null', async () => {
      const namespace = await context.api().namespace();
      const path = `${configMaps(namespace)}/a`;
      await context.api().create(configMaps(namespace), {
        metadata: { name: 'a', annotations: { keep: '1', drop: '2' }, finalizers: ['example.com/x', 'example.com/y'] },
        data: { k: '1' },
      });
      const { status, body } = await context.api().patch(path, {
        metadata: { annotations: { drop: null, add: '3' }, finalizers: ['example.com/z'] },
      });
      expect(status).toBe(200);
      expect(metadataOf(body)).toMatchObject({ annotations: { keep: '1', add: '3' }, finalizers: ['example.com/z'] });
      expect(member(metadataOf(body), 'annotations')).not.toHaveProperty('drop');
      expect(body['data']).toEqual({ k: '1' });
      await context.api().patch(path, { metadata: { finalizers: null } });
    });

    test('with an old resourceVersion is 409', async () => {
      const namespace = await context.api().namespace();
      const first = await context.api().create(configMaps(namespace), { metadata: { name: 'a' } });
      await context.api().patch(`${configMaps(namespace)}/a`, { data: { k: '1' } });
      const stale = { metadata: { resourceVersion: versionOf(first) }, data: { k: '2' } };
      const { status, body } = await context.api().patch(`${configMaps(namespace)}/a`, stale);
      expect([status, body['reason']]).toEqual([409, 'Conflict']);
    });

    test('of what is not there is 404, in an unknown format 415', async () => {
      const namespace = await context.api().namespace();
      expect((await context.api().patch(`${configMaps(namespace)}/a`, {})).status).toBe(404);
      await context.api().create(configMaps(namespace), { metadata: { name: 'a' } });
      const unknown = await context.api().patch(`${configMaps(namespace)}/a`, {}, 'application/x-contract');
      expect(unknown.status).toBe(415);
      expect(unknown.body).toMatchObject({ kind: 'Status', reason: 'UnsupportedMediaType' });
    });
  });

  describeStatus(context);
  describeDelete(context);
}

function describeStatus(context: ContractContext): void {
  const condition = { type: 'NetworkUnavailable', status: 'False', reason: 'Contract', message: 'm' };

  async function node(): Promise<string> {
    return nameOf(await context.api().create('/api/v1/nodes', { metadata: { generateName: 'contract-' } }));
  }

  describe('status subresource', () => {
    test('a write of the object leaves status alone', async () => {
      const path = `/api/v1/nodes/${await node()}`;
      await context.api().patch(`${path}/status`, { status: { conditions: [condition] } });
      const { body } = await context
        .api()
        .patch(path, { metadata: { labels: { a: 'b' } }, status: { conditions: [] } });
      expect(metadataOf(body)).toMatchObject({ labels: { a: 'b' } });
      expect(member(body, 'status')['conditions']).toEqual([expect.objectContaining(condition)]);
      await context.api().delete(path);
    });

    test('a write of status leaves spec alone, and may set annotations', async () => {
      const path = `/api/v1/nodes/${await node()}`;
      const patch = {
        metadata: { annotations: { 'contract.example/a': 'b' } },
        spec: { unschedulable: true },
        status: { conditions: [condition] },
      };
      const { status, body } = await context.api().patch(`${path}/status`, patch);
      expect(status).toBe(200);
      expect(member(body, 'spec')['unschedulable']).toBeUndefined();
      expect(metadataOf(body)).toMatchObject({ annotations: { 'contract.example/a': 'b' } });
      const read = await context.api().get(path);
      expect(member(read.body, 'status')['conditions']).toEqual([expect.objectContaining(condition)]);
      await context.api().delete(path);
    });
  });
}

function describeDelete(context: ContractContext): void {
  const configMaps = (namespace: string): string => `/api/v1/namespaces/${namespace}/configmaps`;

  describe('delete', () => {
    test('removes; a second one is 404', async () => {
      const namespace = await context.api().namespace();
      await context.api().create(configMaps(namespace), { metadata: { name: 'a' } });
      expect((await context.api().delete(`${configMaps(namespace)}/a`)).status).toBe(200);
      expect((await context.api().get(`${configMaps(namespace)}/a`)).status).toBe(404);
      expect((await context.api().delete(`${configMaps(namespace)}/a`)).status).toBe(404);
    });

    test('whose preconditions do not hold is 409', async () => {
      const namespace = await context.api().namespace();
      const object = await context.api().create(configMaps(namespace), { metadata: { name: 'a' } });
      const path = `${configMaps(namespace)}/a`;
      const wrong = { preconditions: { uid: '00000000-0000-0000-0000-000000000000' } };
      expect((await context.api().delete(path, wrong)).status).toBe(409);
      const { uid, resourceVersion } = metadataOf(object);
      await context.api().patch(path, { data: { k: 'v' } });
      expect((await context.api().delete(path, { preconditions: { resourceVersion } })).status).toBe(409);
      expect((await context.api().delete(path, { preconditions: { uid } })).status).toBe(200);
    });

    test('of an object with finalizers marks it; it goes when the last finalizer does', async () => {
      const namespace = await context.api().namespace();
      const path = `${configMaps(namespace)}/a`;
      const metadata = { name: 'a', finalizers: ['contract.example/hold'] };
      await context.api().create(configMaps(namespace), { metadata });
      expect((await context.api().delete(path)).status).toBe(200);
      const held = await context.api().get(path);
      expect(metadataOf(held.body)['deletionTimestamp']).toEqual(expect.any(String));
      expect((await context.api().patch(path, { metadata: { finalizers: null } })).status).toBe(200);
      expect((await context.api().get(path)).status).toBe(404);
    });

    test('of a collection removes what the selector takes', async () => {
      const namespace = await context.api().namespace();
      for (const name of ['a', 'b']) {
        await context.api().create(configMaps(namespace), { metadata: { name, labels: { which: name } } });
      }
      expect((await context.api().delete(`${configMaps(namespace)}?labelSelector=which%3Da`)).status).toBe(200);
      expect((await context.api().get(`${configMaps(namespace)}/a`)).status).toBe(404);
      expect((await context.api().get(`${configMaps(namespace)}/b`)).status).toBe(200);
    });
  });
}
