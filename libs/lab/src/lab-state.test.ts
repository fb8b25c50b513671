import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { labPaths, type LabPaths } from './lab-paths.ts';
import { DEFAULT_SPEC } from './lab-spec.ts';
import { listLabNames, newLabState, readLabId, readLabState, writeLabState } from './lab-state.ts';
import { initialNodes } from './topology.ts';

let root: string;
let paths: LabPaths;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'canal-lab-state-'));
  paths = labPaths(root, 'blue');
  mkdirSync(paths.root);
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

describe('lab state', () => {
  test('what was written is read again', () => {
    const spec = { ...DEFAULT_SPEC, name: 'blue', ipFamily: 'dual', segments: 2 } as const;
    const state = newLabState(spec, initialNodes(spec));
    writeLabState(paths, state);
    expect(readLabState(paths)).toEqual(state);
  });

  test('ids of two labs differ', () => {
    expect(newLabState(DEFAULT_SPEC, []).id).not.toBe(newLabState(DEFAULT_SPEC, []).id);
    expect(newLabState(DEFAULT_SPEC, []).id).toMatch(/^[0-9a-f]{32}$/);
  });

  test('a missing or foreign file is no state', () => {
    expect(readLabState(paths)).toBeUndefined();
    for (const text of ['', '{', 'null', '[]', '{"id":"x"}']) {
      writeFileSync(paths.state, text);
      expect(readLabState(paths)).toBeUndefined();
    }
  });

  test('of a state that another version wrote the id is known: the lab’s processes are found by it', () => {
    const state = newLabState(DEFAULT_SPEC, []);
    const { policy: _policy, ...older } = state.spec;
    writeFileSync(paths.state, JSON.stringify({ ...state, spec: older }));
    expect([readLabState(paths), readLabId(paths)]).toEqual([undefined, state.id]);
    for (const text of ['', '{', 'null', '{"id":""}', '{"id":5}']) {
      writeFileSync(paths.state, text);
      expect(readLabId(paths)).toBeUndefined();
    }
  });

  test('what cannot be read is not taken for nothing', () => {
    mkdirSync(paths.state);
    expect(() => readLabState(paths)).toThrow(/EISDIR/);
    rmSync(paths.state, { recursive: true });
    writeFileSync(join(root, 'file'), '');
    expect(listLabNames(join(root, 'file', 'below'))).toEqual([]);
  });

  test.each(['name', 'number', 'segment'])(
    'a node with a bad %s makes the state unreadable, it is not left out',
    (bad) => {
      const state = newLabState(DEFAULT_SPEC, initialNodes(DEFAULT_SPEC));
      writeLabState(paths, state);
      const nodes = [{ name: 'node1', number: 1, segment: 1, [bad]: bad === 'name' ? '../x' : 999 }];
      writeFileSync(paths.state, JSON.stringify({ ...state, nodes }));
      expect(readLabState(paths)).toBeUndefined();
    },
  );
});

test('the labs of a machine are the directories with a lab’s name', () => {
  mkdirSync(join(root, 'aaa'));
  mkdirSync(join(root, '.hidden'));
  expect(listLabNames(root)).toEqual(['aaa', 'blue']);
  expect(listLabNames(join(root, 'absent'))).toEqual([]);
});
