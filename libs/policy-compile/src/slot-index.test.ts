import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SlotIndex } from './slot-index.ts';

test('it finds what is in, as a Map does, with hashes that collide', () => {
  const operation = fc.record({ key: fc.nat({ max: 600 }), put: fc.boolean() });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 3000, size: 'max' }), (operations) => {
      // A slot is its key here; few hashes, so that slots stand in each other's places.
      const hashOf = (slot: number): number => Math.imul(slot % 50, 0x9e37_79b1);
      const index = new SlotIndex(hashOf);
      const model = new Set<number>();
      for (const { key, put } of operations) {
        if (put && !model.has(key)) {
          index.add(hashOf(key), key);
          model.add(key);
        } else if (!put && model.delete(key)) {
          index.remove(hashOf(key), key);
        }
      }
      for (let key = 0; key <= 600; key++) {
        const found = index.find(hashOf(key), (slot) => slot === key);
        expect(found).toBe(model.has(key) ? key : undefined);
      }
    }),
  );
});
