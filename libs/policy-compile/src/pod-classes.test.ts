import type { Labels } from '@canal/model';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LabelDictionary } from './label-dictionary.ts';
import { NamespaceTable } from './namespace-table.ts';
import { PodClasses } from './pod-classes.ts';

const labels = fc.dictionary(fc.constantFrom('x', 'y', 'z'), fc.constantFrom('1', '2'));
const namespace = fc.constantFrom('a', 'b');

/** Each draw puts the class when it is not there, and deletes it when it is. */
function toggled(draws: readonly (readonly [string, Labels])[]) {
  const dictionary = new LabelDictionary();
  const namespaces = new NamespaceTable();
  const classes = new PodClasses(dictionary);
  const model = new Map<number, readonly [string, Labels]>();
  for (const [name, own] of draws) {
    const record = namespaces.obtain(name);
    const id = classes.find(record, own);
    if (id === undefined) {
      model.set(classes.create(record, own), [name, own]);
    } else {
      classes.delete(id);
      model.delete(id);
    }
  }
  return { dictionary, namespaces, classes, model };
}

test('classes are found by namespace, by labels and by each label, however they came and went', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(namespace, labels), { maxLength: 60 }), (draws) => {
      const { dictionary, namespaces, classes, model } = toggled(draws);
      const idsWhere = (holds: (name: string, own: Labels) => boolean): number[] =>
        [...model].flatMap(([id, [name, own]]) => (holds(name, own) ? [id] : [])).sort();
      for (const [id, [name, own]] of model) {
        expect(classes.labels(id)).toEqual(own);
        expect(classes.find(namespaces.obtain(name), own)).toBe(id);
      }
      for (const name of ['a', 'b']) {
        expect([...namespaces.obtain(name).classes].sort()).toEqual(idsWhere((of) => of === name));
      }
      for (const key of ['x', 'y', 'z']) {
        for (const value of ['1', '2']) {
          const label = dictionary.find(key, value);
          const listed = label === undefined ? [] : [...classes.withLabel(label)].sort();
          expect(listed).toEqual(idsWhere((_, own) => own[key] === value));
        }
      }
    }),
  );
});

test('labels that no class has any more are forgotten', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(namespace, labels), { maxLength: 20 }), (draws) => {
      const { dictionary, classes, model } = toggled(draws);
      for (const id of model.keys()) classes.delete(id);
      for (const key of ['x', 'y', 'z']) {
        for (const value of ['1', '2']) expect(dictionary.find(key, value)).toBeUndefined();
      }
    }),
  );
});
