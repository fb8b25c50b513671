import fc from 'fast-check';
import { type Cidr, cidrOf, cidrsOverlap, type Ip, parseIpv4, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { SubnetClaims } from './subnet-claims.ts';

const BASE = Number(unwrap(parseIpv4('10.0.0.0')));
const blocks = fc.array(
  fc
    .record({ offset: fc.nat(1023), prefixLen: fc.integer({ min: 20, max: 32 }) })
    .map(({ offset, prefixLen }) => cidrOf((BASE + offset) as Ip, prefixLen)),
  { maxLength: 25 },
);

test('a claim is refused exactly when it overlaps one that was granted, and names a holder of such a one', () => {
  fc.assert(
    fc.property(blocks, (claims) => {
      const held: Cidr[] = [];
      const subject = new SubnetClaims(claims.map(({ prefixLen }) => prefixLen));
      for (const block of claims) {
        const rivals = held.filter((other) => cidrsOverlap(other, block));
        const holder = subject.claim(block, `${held.length}`);
        if (rivals.length === 0) {
          expect(holder).toBeUndefined();
          held.push(block);
        } else {
          expect(rivals.map((rival) => `${held.indexOf(rival)}`)).toContain(holder);
        }
      }
    }),
  );
});
