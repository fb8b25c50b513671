import { expect, test } from 'vitest';
import { faultsOf } from './pod-addresses.ts';

const account = (reserved: Record<string, string>, used: Record<string, string[]>) => ({
  reserved: new Map(Object.entries(reserved)),
  used: new Map(Object.entries(used)),
});

test('addresses that are reserved for the one sandbox that has them are in order', () => {
  expect(faultsOf(account({ '10.244.1.5': 'a' }, { '10.244.1.5': ['a'] }))).toEqual({
    leaked: [],
    unreserved: [],
    doubled: [],
  });
});

test('a reservation without a sandbox is a leak', () => {
  expect(faultsOf(account({ '10.244.1.5': 'a' }, {})).leaked).toEqual(['10.244.1.5 a']);
});

test("an address that is reserved for another sandbox is both: that one's leak, this one's theft", () => {
  expect(faultsOf(account({ '10.244.1.5': 'a' }, { '10.244.1.5': ['b'] }))).toMatchObject({
    leaked: ['10.244.1.5 a'],
    unreserved: ['10.244.1.5 b'],
  });
});

test('an address on two sandboxes is doubled', () => {
  expect(faultsOf(account({ '10.244.1.5': 'a' }, { '10.244.1.5': ['a', 'b'] })).doubled).toEqual(['10.244.1.5 a b']);
});
