import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AddressClaims } from './address-claims.ts';
import { ip } from './testing/objects.ts';

test('of any claimants the youngest owns the address, in whatever order they come and go', () => {
  const address = ip('10.0.0.1');
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 6 }), { maxLength: 40 }), (pods) => {
      // A pod is its own age here; it claims and withdraws in turn.
      const claims = new AddressClaims((pod, than) => pod > than);
      const claimants = new Set<number>();
      for (const pod of pods) {
        if (claimants.delete(pod)) {
          claims.withdraw(address, pod);
        } else {
          claimants.add(pod);
          claims.claim(address, pod);
        }
        expect(claims.owner(address)).toBe(claimants.size === 0 ? undefined : Math.max(...claimants));
      }
    }),
  );
});
