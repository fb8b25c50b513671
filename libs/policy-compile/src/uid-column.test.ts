import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UidColumn } from './uid-column.ts';

const uid = fc.oneof(
  fc.uuid(),
  fc.string(),
  fc.constantFrom('00000000-0000-0000-0000-000000000000', '0A000000-1111-4222-8333-000000000001', ''),
);

test('a uid comes back as it was, and is no other', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat({ max: 400 }), uid)), uid, (writes, other) => {
      const column = new UidColumn();
      const model = new Map<number, string>();
      for (const [slot, text] of writes) {
        column.set(slot, text);
        model.set(slot, text);
      }
      for (const [slot, text] of model) {
        expect(column.get(slot)).toBe(text);
        expect(column.is(slot, text)).toBe(true);
        expect(column.is(slot, other)).toBe(text === other);
      }
    }),
  );
});
