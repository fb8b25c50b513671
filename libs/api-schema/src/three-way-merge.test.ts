import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from './json-object.ts';
import { mergePatch, threeWayMerge } from './three-way-merge.ts';

describe('threeWayMerge', () => {
  test.each<[string, JsonObject, JsonObject, JsonObject, JsonObject | undefined]>([
    ['nothing changed', { a: 1 }, { a: 1 }, { a: 1, b: 2 }, undefined],
    ['a field is set', {}, { a: 1 }, { b: 2 }, { a: 1 }],
    ['a field of ours is no longer named', { a: 1, b: 1 }, { a: 1 }, { a: 1, b: 1 }, { b: null }],
    ['a field of ours that somebody removed already', { a: 1, b: 1 }, { a: 1 }, { a: 1 }, undefined],
    ["somebody else's field stays", {}, { a: 1 }, { a: 1, b: 1 }, undefined],
    ['what somebody changed is set back', { a: 1 }, { a: 1 }, { a: 2 }, { a: 1 }],
    ['inside an object', { m: { x: 1, y: 1 } }, { m: { x: 2 } }, { m: { x: 1, y: 1, z: 1 } }, { m: { x: 2, y: null } }],
    ['a list is one value', { l: [1, 2] }, { l: [1] }, { l: [1, 2] }, { l: [1] }],
    [
      'a list into which the server put defaults, or somebody a peer: nobody can tell which',
      { l: [{ p: 80 }] },
      { l: [{ p: 80 }] },
      { l: [{ p: 80, t: 'TCP' }] },
      { l: [{ p: 80 }] },
    ],
    ['a list that another tool made and that says more', {}, { l: [{}] }, { l: [{ p: 80 }] }, { l: [{}] }],
    [
      'a field taken out of a list',
      { l: [{ p: 80, t: 'UDP' }] },
      { l: [{ p: 80 }] },
      { l: [{ p: 80, t: 'UDP' }] },
      { l: [{ p: 80 }] },
    ],
    ['an object takes the place of a text', { a: 'x' }, { a: { b: 1 } }, { a: 'x' }, { a: { b: 1 } }],
    ['names of Object.prototype are fields', {}, { constructor: 'x' }, {}, { constructor: 'x' }],
  ])('%s', (_name, last, wanted, live, expected) => {
    expect(threeWayMerge(last, wanted, live)).toEqual(expected);
  });

  test('after applying there is nothing left to apply', () => {
    const object = fc.dictionary(
      fc.constantFrom('a', 'b', 'c'),
      fc.letrec((tie) => ({
        value: fc.oneof({ depthSize: 'small' }, fc.integer(), fc.array(fc.integer()), tie('object')),
        object: fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value')),
      })).value,
    );
    fc.assert(
      fc.property(object, object, object, (last, wanted, live) => {
        const patch = threeWayMerge(last, wanted, live);
        const next = patch === undefined ? live : mergePatch(live, patch);
        expect(threeWayMerge(wanted, wanted, next)).toBeUndefined();
      }),
    );
  });
});
