import fc from 'fast-check';
import { formatIp, parseIp, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import { reservationsOfEarlierBoots, unlistedReservations } from './garbage.ts';
import { type AttachmentId, type Owner, ownerIs, type Reservation } from './reservation.ts';

function held(last: number, owner?: Owner): Reservation {
  return { ip: unwrap(parseIp(`10.244.1.${last}`)), ...(owner !== undefined && { owner }) };
}

const A: AttachmentId = { containerId: 'a', containerInterface: 'eth0' };
const RESERVATIONS = [
  held(2, A),
  held(3, { containerId: 'a', containerInterface: 'net1' }),
  held(4, { containerId: 'b', containerInterface: 'eth0' }),
  held(5, { containerId: 'a' }),
  held(6),
];
const last = (reservations: readonly Reservation[]): string[] =>
  reservations.map((reservation) => formatIp(reservation.ip).slice('10.244.1.'.length));

describe('GC', () => {
  test('keeps what a valid attachment owns, also in a file without interface', () => {
    expect(last(unlistedReservations(RESERVATIONS, [A]))).toEqual(['3', '4', '6']);
  });
  test('an empty list means that nothing lives', () => {
    expect(unlistedReservations(RESERVATIONS, [])).toEqual(RESERVATIONS);
  });
  test('never releases what a valid attachment owns, and always the rest', () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const id = fc.record({ containerId: name, containerInterface: name });
    const owner = fc.record({ containerId: name, containerInterface: name }, { requiredKeys: ['containerId'] });
    fc.assert(
      fc.property(fc.array(owner), fc.array(id), (owners, valid) => {
        const reservations = owners.map((each, index) => held(index % 250, each));
        const released = new Set(unlistedReservations(reservations, valid));
        for (const reservation of reservations) {
          const owned = valid.some((each) => reservation.owner !== undefined && ownerIs(reservation.owner, each));
          expect(released.has(reservation)).toBe(!owned);
        }
      }),
    );
  });
});

test('the first ADD after a boot releases what earlier boots recorded and what has no owner, and nothing else', () => {
  expect(last(reservationsOfEarlierBoots(RESERVATIONS, [A]))).toEqual(['2', '5', '6']);
  expect(last(reservationsOfEarlierBoots(RESERVATIONS, []))).toEqual(['6']);
});
