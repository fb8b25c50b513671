import { describe, expect, test } from 'vitest';
import { DEFAULT_SPEC, differingFields, isLabel, isLabName, type LabSpec, parseLabSpec } from './lab-spec.ts';

describe('parseLabSpec', () => {
  test('nothing wished for is the default lab', () => {
    expect(parseLabSpec({})).toEqual({ ok: true, value: DEFAULT_SPEC });
  });

  test('DirectRouting gets two segments unless told otherwise', () => {
    expect(parseLabSpec({ directRouting: true })).toMatchObject({ value: { segments: 2 } });
    expect(parseLabSpec({ directRouting: true, segments: 1 })).toMatchObject({ value: { segments: 1 } });
  });

  test.each<[string, Partial<LabSpec>, keyof LabSpec]>([
    ['a name that is no label', { name: 'a.b' }, 'name'],
    ['a name that leaves its directory', { name: '..' }, 'name'],
    ['a name that is too long', { name: 'a'.repeat(21) }, 'name'],
    ['no node at all', { nodes: 0 }, 'nodes'],
    ['more nodes than addresses', { nodes: 201 }, 'nodes'],
    ['half a node', { nodes: 1.5 }, 'nodes'],
    ['not a number', { nodes: Number.NaN }, 'nodes'],
    ['more pods than a node has addresses', { podsPerNode: 251 }, 'podsPerNode'],
    ['an MTU too small for IPv6 in vxlan', { mtuBytes: 1279 }, 'mtuBytes'],
    ['DirectRouting with host-gw', { backend: 'host-gw', directRouting: true }, 'directRouting'],
    ['host-gw over a router', { backend: 'host-gw', segments: 2 }, 'segments'],
  ])('refuses %s', (_name, wanted, field) => {
    expect(parseLabSpec(wanted)).toMatchObject({ ok: false, error: { field } });
  });
});

test('names are DNS labels', () => {
  expect(['a', 'a-b', 'node1', '0'].map((name) => isLabel(name))).toEqual([true, true, true, true]);
  expect(['', '-a', 'a-', 'A', 'a.b', 'a/b', 'a_b', 'ä'].filter((name) => isLabel(name))).toEqual([]);
  expect(isLabName('a'.repeat(20))).toBe(true);
});

test('differingFields names what two wishes differ in', () => {
  expect(differingFields(DEFAULT_SPEC, { ...DEFAULT_SPEC, nodes: 4, ipFamily: 'dual' })).toEqual(['nodes', 'ipFamily']);
  // Complete: each field of a spec is looked at.
  for (const field of Object.keys(DEFAULT_SPEC)) {
    expect(differingFields(DEFAULT_SPEC, { ...DEFAULT_SPEC, [field]: 'other' })).toEqual([field]);
  }
});
