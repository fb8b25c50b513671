import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { describe, expect, test } from 'vitest';

import type { Json } from '../json.ts';
import { checkFields } from './check-fields.ts';
import { readFieldTables } from './field-table.ts';
import { renderFieldTables } from './render-field-tables.ts';

const tables = readFieldTables();

test('the checked-in tables are those of the installed client library', async () => {
  const client = dirname(createRequire(import.meta.url).resolve('@kubernetes/client-node'));
  await expect(renderFieldTables(join(client, 'gen', 'models'))).toMatchFileSnapshot('./kubernetes-fields.ts');
});

test('every type that a field names is in the tables', () => {
  const missing: string[] = [];
  for (const [owner, table] of tables) {
    for (const [field, type] of table) {
      let inner = type;
      while (inner.form === 'list' || inner.form === 'map') inner = inner.of;
      if (inner.form === 'object' && !tables.has(inner.name)) missing.push(`${owner}.${field}: ${inner.name}`);
    }
  }
  expect(missing).toEqual([]);
});

describe('an object is held to its kind', () => {
  const cases: { name: string; kind: string; object: Json; unknown?: string[]; mistyped?: string[] }[] = [
    {
      name: 'a full policy passes',
      kind: 'NetworkPolicy',
      object: {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: 'p', labels: { a: 'b' } },
        spec: {
          podSelector: { matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] },
          ingress: [
            { from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }], ports: [{ port: 'http' }] },
          ],
        },
      },
    },
    {
      name: 'a field at the wrong level',
      kind: 'NetworkPolicy',
      object: { spec: { podSelector: {}, ports: [], ingress: [{ podSelector: {} }] } },
      unknown: ['spec.ports', 'spec.ingress[0].podSelector'],
    },
    { name: 'a field at the root', kind: 'ConfigMap', object: { datas: {} }, unknown: ['datas'] },
    {
      name: 'a field named like an own method of objects',
      kind: 'ConfigMap',
      object: { toString: {} },
      unknown: ['toString'],
    },
    {
      name: 'wrong types',
      kind: 'Pod',
      object: {
        metadata: { labels: { a: 1 }, generation: '1' },
        spec: { hostNetwork: 'yes', containers: {}, nodeName: ['n'], terminationGracePeriodSeconds: 1.5 },
      },
      mistyped: [
        'metadata.labels[a] must be a string, not 1',
        'metadata.generation must be an integer, not "1"',
        'spec.hostNetwork must be true or false, not "yes"',
        'spec.containers must be a list, not an object',
        'spec.nodeName must be a string, not a list',
        'spec.terminationGracePeriodSeconds must be an integer, not 1.5',
      ],
    },
    {
      name: 'scalars with a form',
      kind: 'Node',
      object: {
        metadata: { creationTimestamp: 'yesterday' },
        status: {
          capacity: { cpu: 2, memory: '4Gi', pods: 'many' },
          daemonEndpoints: { kubeletEndpoint: { Port: 2 ** 31 } },
        },
      },
      mistyped: [
        'metadata.creationTimestamp must be a time in RFC 3339, not "yesterday"',
        'status.capacity[pods] must be a quantity such as 100m or 1Gi, not "many"',
        'status.daemonEndpoints.kubeletEndpoint.Port must be a 32-bit integer, not 2147483648',
      ],
    },
    {
      name: 'a null among the peers, which must not become "everyone"',
      kind: 'NetworkPolicy',
      object: { spec: { ingress: [{ from: [null] }] } },
      mistyped: ['spec.ingress[0].from[0] must be an object, not null'],
    },
  ];
  test.each(cases)('$name', ({ kind, object, unknown = [], mistyped = [] }) => {
    expect(checkFields(tables, kind, object)).toEqual({ unknown, mistyped });
  });

  test('a null member is as good as none', () => {
    const object = { metadata: { name: 'a', labels: null }, data: { k: 'v' } };
    expect(checkFields(tables, 'ConfigMap', object)).toEqual({ unknown: [], mistyped: [] });
    expect(object).toEqual({ metadata: { name: 'a' }, data: { k: 'v' } });
  });
});
