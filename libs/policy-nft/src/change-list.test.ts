import { NFPROTO, type NftElement } from 'netlink-ts';
import { expect, test } from 'vitest';
import { ChangeList } from './change-list.ts';

const family = NFPROTO.INET;
const definition = { name: 'ad-000000000001-4', key: 'ipv4_addr' } as const;

function* elements(count: number): Generator<NftElement> {
  for (let index = 0; index < count; index++) yield { key: Uint8Array.of(10, index >>> 16, index >>> 8, index) };
}

const operations = (changes: ChangeList): string[][] =>
  changes.transactions().map((requests) => requests.map(({ operation }) => operation));

test('nothing is no transaction', () => {
  expect(new ChangeList().transactions()).toEqual([]);
  expect(new ChangeList().writes).toBe(0);
});

test('what is new is there before anything refers to it, the rest is one transaction in the order of references', () => {
  const changes = new ChangeList();
  changes.deleteSet(family, 'old-set');
  changes.deleteChain(family, 'old');
  changes.removeElements(family, 'ingress4', elements(1));
  changes.addElements(family, 'ingress4', elements(2));
  changes.newChain(family, 'new', undefined, [[]]);
  changes.newSet(family, definition, elements(3));
  expect(operations(changes)).toEqual([
    ['new nft set', 'new nft elements of ad-000000000001-4', 'new nft chain', 'append nft rule'],
    [
      'flush nft rules',
      'delete nft elements of ingress4',
      'delete nft chain',
      'delete nft set',
      'new nft elements of ingress4',
    ],
  ]);
  expect(changes.writes).toBe(12);
});

test('elements alone are one transaction', () => {
  const changes = new ChangeList();
  changes.changeMembers(family, 'ad-000000000001-4', elements(1), elements(2));
  changes.removeElements(family, 'ingress4', elements(1));
  changes.addElements(family, 'ingress4', elements(1));
  expect(operations(changes)).toHaveLength(1);
});

test('members of a set that stays come with the switch: a new one meets no old rules', () => {
  const changes = new ChangeList();
  changes.changeMembers(family, 'ad-000000000002-4', elements(1), elements(2));
  changes.newChain(family, 'new', undefined, [[]]);
  changes.deleteChain(family, 'old');
  const [ahead, change, ...more] = operations(changes);
  expect(ahead).toEqual(['new nft chain', 'append nft rule']);
  expect(change).toEqual([
    'delete nft elements of ad-000000000002-4',
    'new nft elements of ad-000000000002-4',
    'flush nft rules',
    'delete nft chain',
  ]);
  expect(more).toEqual([]);
});

test('they come with it as well when it is something else of which there is much', () => {
  const changes = new ChangeList();
  changes.changeMembers(family, 'ad-000000000002-4', elements(1), elements(2));
  changes.removeElements(family, 'ingress4', elements(6000));
  changes.newChain(family, 'new', undefined, [[]]);
  const [ahead, change, ...more] = operations(changes);
  expect(ahead).toEqual(['new nft chain', 'append nft rule']);
  expect(change?.filter((operation) => operation.includes('ad-'))).toEqual([
    'delete nft elements of ad-000000000002-4',
    'new nft elements of ad-000000000002-4',
  ]);
  expect(more).toEqual([]);
});

test('of more than a transaction should hold those that go do so ahead, and those that come do so behind', () => {
  const changes = new ChangeList();
  const set = 'ad-000000000002-4';
  changes.changeMembers(family, set, elements(12_000), elements(23_000));
  changes.newChain(family, 'new', undefined, [[]]);
  changes.deleteChain(family, 'old');
  const transactions = operations(changes);
  const switchAt = transactions.findIndex((operation) => operation.includes('delete nft chain'));
  expect(transactions[switchAt]).toEqual(['flush nft rules', 'delete nft chain']);
  const [ahead, behind] = [transactions.slice(0, switchAt), transactions.slice(switchAt + 1)];
  expect(new Set(ahead.flat())).toEqual(new Set(['new nft chain', 'append nft rule', `delete nft elements of ${set}`]));
  expect(new Set(behind.flat())).toEqual(new Set([`new nft elements of ${set}`]));
  expect(ahead.length).toBeGreaterThanOrEqual(3);
  expect(behind.length).toBeGreaterThanOrEqual(5);
});

test('a large set is filled ahead, some thousand elements at a time, and the switch comes last', () => {
  const changes = new ChangeList();
  changes.addElements(family, 'ingress4', elements(1));
  changes.newSet(family, definition, elements(23_000));
  const transactions = operations(changes);
  expect(transactions.at(-1)).toEqual(['new nft elements of ingress4']);
  expect(transactions.slice(0, -1).length).toBeGreaterThanOrEqual(5);
  expect(transactions.slice(0, -1).flat()).not.toContain('new nft elements of ingress4');
  expect(transactions[0]?.[0]).toBe('new nft set');
});

test('a table that is made anew is one transaction, however large', () => {
  const changes = new ChangeList();
  changes.deleteTable(family);
  changes.newTable(family);
  changes.newSet(family, definition, elements(23_000));
  const [only, ...more] = operations(changes);
  expect(more).toEqual([]);
  expect(only?.slice(0, 3)).toEqual(['delete nft table', 'new nft table', 'new nft set']);
});
