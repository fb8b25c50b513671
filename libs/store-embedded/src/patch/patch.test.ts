import { describe, expect, test } from 'vitest';

import { ApiError } from '../api-error.ts';
import { readFieldTables } from '../fields/field-table.ts';
import type { Json } from '../json.ts';
import { jsonPatch } from './json-patch.ts';
import { strategicMergePatch } from './strategic-merge-patch.ts';

/** What the contract suite does not ask of every server; see patch-contract.ts of store-contract for the rest. */

const tables = readFieldTables();
const merged = (kind: string, target: Json, patch: Json): Json => strategicMergePatch(tables, kind, target, patch);

function failure(work: () => unknown): number | undefined {
  try {
    work();
  } catch (error) {
    return error instanceof ApiError ? error.code : undefined;
  }
  return 0;
}

describe('strategic merge patch', () => {
  const pod = (volumes: readonly Json[]): Json => ({ spec: { volumes, containers: [{ name: 'c', image: 'i' }] } });

  test('leaves its inputs as they are', () => {
    const target = pod([{ name: 'v', emptyDir: {} }]);
    const patch = { spec: { containers: [{ name: 'c', image: 'j', env: [{ name: 'E', value: '1' }] }] } };
    const [before, patchBefore] = [structuredClone(target), structuredClone(patch)];
    expect(merged('Pod', target, patch)['spec']).toMatchObject({ containers: [{ image: 'j', env: [{ name: 'E' }] }] });
    expect([target, patch]).toEqual([before, patchBefore]);
  });

  test('$retainKeys takes the other members of a union away', () => {
    const patch = { spec: { volumes: [{ name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/x' } }] } };
    const { spec } = merged('Pod', pod([{ name: 'v', emptyDir: {} }]), patch);
    expect(spec).toMatchObject({ volumes: [{ name: 'v', hostPath: { path: '/x' } }] });
    expect(JSON.stringify(spec)).not.toContain('emptyDir');
  });

  test('directives and nulls never become part of the object', () => {
    const patch = {
      metadata: { annotations: { a: null, b: '1' }, '$setElementOrder/finalizers': ['x'], finalizers: ['x'] },
      spec: {
        ports: [
          { port: 1, name: null },
          { port: 2, $patch: 'delete' },
        ],
        $retainKeys: ['ports'],
      },
    };
    expect(merged('Service', { kind: 'Service' }, patch)).toEqual({
      kind: 'Service',
      metadata: { annotations: { b: '1' }, finalizers: ['x'] },
      spec: { ports: [{ port: 1 }] },
    });
  });

  test('a directive about what is not there is dropped with the map that it stands in', () => {
    const ports = [{ port: 1 }, { $patch: 'replace' }];
    expect(merged('Service', { spec: {} }, { spec: { ports } })).toEqual({ spec: { ports: [{ port: 1 }] } });
    const selector = { $patch: 'replace', a: '1' };
    expect(merged('Service', { spec: {} }, { spec: { selector } })).toEqual({ spec: {} });
    expect(merged('Service', {}, { spec: { ports, selector } })).toEqual({ spec: { ports: [{ port: 1 }] } });
  });

  test.each([
    { what: 'an unknown directive', patch: { spec: { $patch: 'explode' } } },
    { what: 'a directive to merge', patch: { spec: { ports: [{ port: 1, $patch: 'merge' }] } } },
    { what: 'an order that is no list', patch: { spec: { '$setElementOrder/ports': 1 } } },
    { what: 'keys that are no list', patch: { spec: { $retainKeys: 'ports' } } },
    { what: 'an item without its key', patch: { spec: { ports: [{ name: 'a' }] } } },
  ])('$what is 400', ({ patch }) => {
    expect(failure(() => merged('Service', { spec: { ports: [{ port: 1 }] } }, patch))).toBe(400);
  });

  test('a member called __proto__ is a member', () => {
    const patch = JSON.parse('{"data":{"__proto__":"x"}}') as Json;
    const { data } = merged('ConfigMap', { data: { a: '1' } }, patch);
    expect(Object.keys(data as Json)).toEqual(['a', '__proto__']);
  });
});

describe('JSON patch', () => {
  test('leaves its inputs as they are', () => {
    const target = { list: [1, 2], map: { a: 1 } };
    const operations = [
      { op: 'remove', path: '/list/0' },
      { op: 'copy', from: '/map', path: '/copy' },
      { op: 'add', path: '/copy/b', value: 2 },
    ];
    expect(jsonPatch(target, operations)).toEqual({ list: [2], map: { a: 1 }, copy: { a: 1, b: 2 } });
    expect(target).toEqual({ list: [1, 2], map: { a: 1 } });
  });

  test('a member called __proto__ is a member', () => {
    const result = jsonPatch({}, [{ op: 'add', path: '/__proto__', value: { polluted: true } }]);
    expect(Object.keys(result as Json)).toEqual(['__proto__']);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });

  test.each([
    { what: 'an index beyond the end', operation: { op: 'add', path: '/list/3', value: 1 }, code: 422 },
    { what: 'an index with a sign', operation: { op: 'remove', path: '/list/-1' }, code: 422 },
    { what: 'the place after the last, to remove', operation: { op: 'remove', path: '/list/-' }, code: 422 },
    { what: 'an inherited member', operation: { op: 'remove', path: '/constructor' }, code: 422 },
    { what: 'no pointer', operation: { op: 'remove', path: 'list' }, code: 422 },
    { what: 'no value', operation: { op: 'add', path: '/a' }, code: 422 },
    { what: 'no such operation', operation: { op: 'merge', path: '/a', value: 1 }, code: 422 },
    { what: 'the root, to remove', operation: { op: 'remove', path: '' }, code: 422 },
    { what: 'a test below what is not there', operation: { op: 'test', path: '/a/b', value: null }, code: 422 },
    { what: 'no object', operation: 1, code: 400 },
  ])('$what is $code', ({ operation, code }) => {
    expect(failure(() => jsonPatch({ list: [1, 2] }, [operation]))).toBe(code);
  });

  test('copies that double the object end at 3 MiB', () => {
    const operations = Array.from({ length: 40 }, (_, index) => ({ op: 'copy', from: '', path: `/c${String(index)}` }));
    expect(failure(() => jsonPatch({ a: 'x'.repeat(100) }, operations.slice(0, 10)))).toBe(0);
    expect(failure(() => jsonPatch({ a: 'x'.repeat(100) }, operations))).toBe(422);
  });

  test('more than 10,000 operations are 413', () => {
    const operations = Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/a', value: 1 }));
    expect(failure(() => jsonPatch({ a: 1 }, operations))).toBe(413);
  });
});
