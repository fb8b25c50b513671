import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';

import { type HistoryWindow, ObjectDatabase } from './object-database.ts';

const WINDOW: HistoryWindow = { maxChanges: 1_000_000, maxBytes: 1024 * 1024 * 1024 };
const directories: string[] = [];

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function memory(window: HistoryWindow = WINDOW): ObjectDatabase {
  return new ObjectDatabase(':memory:', window);
}

function put(db: ObjectDatabase, namespace: string, name: string, value: string, resource = '/things'): number {
  return db.put(resource, namespace, name, (version) => `${value}@${String(version)}`).version;
}

function bodies(db: ObjectDatabase, atVersion?: number): string[] {
  const at = atVersion === undefined ? {} : { atVersion };
  return Array.from(
    db.list({ resource: '/things', ...at }),
    (stored) => `${stored.namespace}/${stored.name}=${stored.body}`,
  );
}

describe('the state at a version', () => {
  const step = fc.record({
    do: fc.constantFrom('put', 'put', 'delete', 'other'),
    namespace: fc.constantFrom('a', 'b'),
    name: fc.constantFrom('x', 'y', 'z'),
  });

  test('is what it was then, whatever was written since', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const db = memory();
        const history = new Map<number, string[]>([[0, []]]);
        for (const [index, { do: action, namespace, name }] of steps.entries()) {
          if (action === 'put') put(db, namespace, name, String(index));
          else if (action === 'delete') db.delete('/things', namespace, name, (version) => `gone@${String(version)}`);
          else put(db, namespace, name, String(index), '/others');
          history.set(db.version, bodies(db));
        }
        for (const [version, expected] of history) {
          expect(bodies(db, version)).toEqual(expected);
          expect(db.count({ resource: '/things', atVersion: version })).toBe(expected.length);
        }
        db.close();
      }),
    );
  });

  test('can be read from a cursor on, in one namespace or all', () => {
    const db = memory();
    for (const namespace of ['a', 'b']) for (const name of ['x', 'y', 'z']) put(db, namespace, name, '1');
    const then = db.version;
    db.delete('/things', 'b', 'x', () => '');
    put(db, 'b', 'y', '2');
    const after = { namespace: 'a', name: 'z' };
    const names = (range: object): string[] =>
      Array.from(db.list({ resource: '/things', ...range }), (stored) => stored.name);
    expect(names({ after, atVersion: then })).toEqual(['x', 'y', 'z']);
    expect(names({ after })).toEqual(['y', 'z']);
    expect(names({ namespace: 'a', after: { namespace: 'a', name: 'x' }, atVersion: then })).toEqual(['y', 'z']);
    expect(db.count({ resource: '/things', after, atVersion: then })).toBe(3);
    db.close();
  });
});

describe('changes', () => {
  test('are replayed from the log as they were told', () => {
    const db = memory();
    const told: unknown[] = [];
    db.onChange((change) => told.push(change));
    put(db, 'a', 'x', '1');
    put(db, 'a', 'x', '2');
    db.delete('/things', 'a', 'x', (version) => `3@${String(version)}`);
    expect(db.changesSince('/things', 0, 10)).toEqual(told);
    expect(told).toMatchObject([
      { version: 1, previous: undefined, deleted: false },
      { version: 2, previous: '1@1', body: '2@2', deleted: false },
      { version: 3, previous: '2@2', body: '3@3', deleted: true },
    ]);
    expect(db.changesSince('/things', 1, 1)).toMatchObject([{ version: 2 }]);
    db.close();
  });

  test('of what is not there are none', () => {
    const db = memory();
    db.delete('/things', 'a', 'x', () => '');
    expect(db.version).toBe(0);
    db.close();
  });

  test('are forgotten when there are too many, or they are too large', () => {
    const few = memory({ maxChanges: 100, maxBytes: 1_000_000 });
    for (let round = 0; round < 1_200; round += 1) put(few, 'a', 'x', String(round));
    expect(few.compactedVersion).toBeGreaterThanOrEqual(1_000);
    expect(bodies(few)).toEqual(['a/x=1199@1200']);
    const small = memory({ maxChanges: 1_000_000, maxBytes: 100_000 });
    for (let round = 0; round < 100; round += 1) put(small, 'a', 'x', 'v'.repeat(10_000));
    expect(small.compactedVersion).toBeGreaterThan(80);
    expect(small.changesSince('/things', 0, 1_000).length).toBeLessThan(10);
    few.close();
    small.close();
  });
});

test('a file keeps objects, versions and log over a restart', () => {
  const directory = mkdtempSync(join(tmpdir(), `canal-store-${String(process.pid)}-`));
  directories.push(directory);
  const path = join(directory, 'store.db');
  const first = new ObjectDatabase(path, WINDOW);
  put(first, 'a', 'x', '1');
  put(first, 'a', 'x', '2');
  first.compact(1);
  first.close();
  const second = new ObjectDatabase(path, WINDOW);
  expect([second.version, second.compactedVersion, bodies(second)]).toEqual([2, 1, ['a/x=2@2']]);
  expect(second.changesSince('/things', 0, 10)).toHaveLength(1);
  expect(put(second, 'a', 'y', '3')).toBe(3);
  second.close();
});
