import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { causeFields, isJson, type Json, member, metadataOf, namesOf, versionOf } from './api-client.ts';
import type { ContractContext } from './context.ts';
import { eventually } from './eventually.ts';
import { summary, WatchReader } from './watch-reader.ts';

/** Kinds that users define: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/ */
export function describeCustomResources(context: ContractContext): void {
  // A group of this run's own, so that suites can run side by side and again.
  const group = `g${String(Date.now())}.contract.example`;
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const name = `rules.${group}`;
  let namespace = '';
  const path = (): string => `/apis/${group}/v1/namespaces/${namespace}/rules`;
  const rule = (spec: Json, metadata: Json = { generateName: 'r-' }): Json => ({
    apiVersion: `${group}/v1`,
    kind: 'Rule',
    metadata,
    spec,
  });

  beforeAll(async () => {
    namespace = await context.api().namespace();
    await context.api().create(definitions, definition(name, group));
    await eventually(async () => established((await context.api().get(`${definitions}/${name}`)).body), true);
    await eventually(async () => (await context.api().get(path())).status, 200);
  });
  afterAll(async () => {
    await context.api().delete(`${definitions}/${name}`);
  });

  test('a defined kind is in discovery', async () => {
    const { body } = await context.api().get(`/apis/${group}/v1`);
    expect(body['resources']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'rules', kind: 'Rule', namespaced: true, shortNames: ['rl'] }),
      ]),
    );
  });

  test('its objects are created, listed and watched like others', async () => {
    const watch = await WatchReader.open(
      context.subject(),
      `${path()}?resourceVersion=${versionOf((await context.api().get(path())).body)}`,
    );
    await context.api().create(path(), rule({ order: 1 }, { name: 'a' }));
    expect(summary(await watch.next())).toBe('ADDED a');
    watch.close();
    const { body } = await context.api().get(path());
    expect(body).toMatchObject({ kind: 'RuleList', apiVersion: `${group}/v1` });
    expect(namesOf(body)).toContain('a');
  });

  test.each([
    { what: 'an unknown field', spec: { order: 1, oder: 2 }, field: 'spec.oder' },
    {
      what: 'an unknown field in a list',
      spec: { order: 1, peers: [{ cidr: '10.0.0.0/8', not: 1 }] },
      field: 'spec.peers[0].not',
    },
  ])('$what is refused by name', async ({ spec, field }) => {
    const { status, body } = await context.api().post(path(), rule(spec));
    expect(status).toBe(400);
    expect(String(body['message'])).toContain(`unknown field "${field}"`);
  });

  test.each([
    { what: 'a required field', spec: {}, field: 'spec.order' },
    { what: 'the minimum', spec: { order: -1 }, field: 'spec.order' },
    { what: 'the type', spec: { order: 'one' }, field: 'spec.order' },
    { what: 'the enumeration', spec: { order: 1, action: 'Maybe' }, field: 'spec.action' },
    { what: 'the pattern', spec: { order: 1, zone: 'UPPER' }, field: 'spec.zone' },
    { what: 'the number of items', spec: { order: 1, peers: [] }, field: 'spec.peers' },
    { what: 'a field required in a list', spec: { order: 1, peers: [{}] }, field: 'spec.peers[0].cidr' },
  ])('an object that breaks $what is 422', async ({ spec, field }) => {
    const answer = await context.api().post(path(), rule(spec));
    expect([answer.status, answer.body['reason']]).toEqual([422, 'Invalid']);
    expect(causeFields(answer)).toContain(field);
  });

  test('defaults are filled in, and free-form parts kept', async () => {
    const created = await context.api().create(path(), rule({ order: 1, free: { any: ['thing'] }, target: 'http' }));
    expect(created['spec']).toEqual({ order: 1, action: 'Allow', free: { any: ['thing'] }, target: 'http' });
  });

  test('status is a subresource: each write takes its half, and metadata stays with the object', async () => {
    const created = await context
      .api()
      .create(path(), { ...rule({ order: 1 }, { name: 's' }), status: { ready: true } });
    expect(created['status']).toBeUndefined();
    expect(metadataOf(created)['generation']).toBe(1);
    const patch = { metadata: { labels: { a: 'b' } }, spec: { order: 2 }, status: { ready: true } };
    const written = await context.api().patch(`${path()}/s/status`, patch);
    expect(written.body).toMatchObject({ spec: { order: 1 }, status: { ready: true }, metadata: { generation: 1 } });
    expect(metadataOf(written.body)['labels']).toBeUndefined();
    const changed = await context.api().patch(`${path()}/s`, { spec: { order: 3 }, status: { ready: false } });
    expect(changed.body).toMatchObject({ spec: { order: 3 }, status: { ready: true }, metadata: { generation: 2 } });
  });

  test('is patched by merge patch and JSON patch; a strategic one is 415', async () => {
    await context.api().create(path(), rule({ order: 1 }, { name: 'p' }));
    const merged = await context.api().patch(`${path()}/p`, { spec: { order: 2 } });
    expect(merged.body['spec']).toMatchObject({ order: 2 });
    const operations = [{ op: 'replace', path: '/spec/order', value: 3 }];
    const replaced = await context.api().patch(`${path()}/p`, operations, 'application/json-patch+json');
    expect(replaced.body['spec']).toMatchObject({ order: 3 });
    const strategic = await context.api().patch(`${path()}/p`, {}, 'application/strategic-merge-patch+json');
    expect([strategic.status, strategic.body['reason']]).toEqual([415, 'UnsupportedMediaType']);
  });

  test('an update must name the version it replaces', async () => {
    await context.api().create(path(), rule({ order: 1 }, { name: 'u' }));
    const answer = await context.api().put(`${path()}/u`, rule({ order: 2 }, { name: 'u' }));
    expect(answer.status).toBe(422);
    expect(causeFields(answer)).toContain('metadata.resourceVersion');
  });

  test.each([
    {
      what: 'a name that is not plural.group',
      change: { metadata: { name: `other.${group}` } },
      field: 'metadata.name',
    },
    { what: 'no versions', change: { versions: [] }, field: 'spec.versions' },
    { what: 'a scope that is none', change: { scope: 'Everywhere' }, field: 'spec.scope' },
  ])('a definition with $what is refused', async ({ change, field }) => {
    const base = definition(`others.${group}`, group, 'others', 'Other');
    const { metadata, ...spec } = { metadata: base['metadata'], ...change };
    const answer = await context
      .api()
      .post(definitions, { ...base, metadata, spec: { ...member(base, 'spec'), ...spec } });
    expect(answer.status).toBe(422);
    expect(causeFields(answer)).toContain(field);
  });

  describe('a definition that is deleted', () => {
    test('takes its objects and its path with it', async () => {
      const short = `shorts.${group}`;
      await context.api().create(definitions, definition(short, group, 'shorts', 'Short'));
      const own = `/apis/${group}/v1/namespaces/${namespace}/shorts`;
      await eventually(async () => (await context.api().get(own)).status, 200);
      await context
        .api()
        .create(own, { metadata: { name: 'a' }, apiVersion: `${group}/v1`, kind: 'Short', spec: { order: 1 } });
      expect((await context.api().delete(`${definitions}/${short}`)).status).toBe(200);
      await eventually(async () => (await context.api().get(own)).status, 404);
    });
  });
}

function definition(name: string, group: string, plural = 'rules', kind = 'Rule'): Json {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name },
    spec: {
      group,
      scope: 'Namespaced',
      names: {
        plural,
        singular: kind.toLowerCase(),
        kind,
        listKind: `${kind}List`,
        ...(kind === 'Rule' ? { shortNames: ['rl'] } : {}),
      },
      versions: [
        { name: 'v1', served: true, storage: true, subresources: { status: {} }, schema: { openAPIV3Schema: SCHEMA } },
      ],
    },
  };
}

const SCHEMA = {
  type: 'object',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      required: ['order'],
      properties: {
        order: { type: 'integer', minimum: 0 },
        action: { type: 'string', enum: ['Allow', 'Deny'], default: 'Allow' },
        zone: { type: 'string', pattern: '^[a-z]+$' },
        target: { 'x-kubernetes-int-or-string': true },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        peers: {
          type: 'array',
          minItems: 1,
          items: { type: 'object', required: ['cidr'], properties: { cidr: { type: 'string' } } },
        },
      },
    },
    status: { type: 'object', properties: { ready: { type: 'boolean' } } },
  },
};

function established(object: Json): boolean {
  const conditions: unknown = member(object, 'status')['conditions'];
  return (
    Array.isArray(conditions) &&
    conditions.some(
      (condition: unknown) =>
        isJson(condition) && condition['type'] === 'Established' && condition['status'] === 'True',
    )
  );
}
