import { expect, test } from 'vitest';
import { StreamTally } from './stream-tally.ts';

function tallyOf(sent: number, received: readonly number[]): StreamTally {
  const tally = new StreamTally();
  for (let number = 0; number < sent; number++) tally.sent(1000 + number);
  for (const number of received) tally.received(number);
  return tally;
}

test('a stream that all arrived has no loss', () => {
  expect(tallyOf(3, [0, 1, 2]).report()).toEqual({
    sent: 3,
    received: 3,
    lost: 0,
    duplicated: 0,
    reordered: 0,
    refused: {},
    losses: [],
    longestLossMs: 0,
  });
});

test('runs of lost packets are told apart, longest first; one at the end lasts until the last that was sent', () => {
  expect(tallyOf(10, [0, 2, 3, 6, 7]).report()).toMatchObject({
    received: 5,
    lost: 5,
    losses: [
      { atMs: 1004, durationMs: 2, packets: 2 },
      { atMs: 1001, durationMs: 1, packets: 1 },
      { atMs: 1008, durationMs: 1, packets: 2 },
    ],
    longestLossMs: 2,
  });
});

test('duplicates and late arrivals are counted, and are no loss', () => {
  expect(tallyOf(4, [0, 2, 1, 2, 3, 3]).report()).toMatchObject({ lost: 0, duplicated: 2, reordered: 1 });
});

test('a refused send is a lost packet with its errno', () => {
  const tally = tallyOf(1, [0]);
  tally.sent(1001, 'ENETUNREACH');
  tally.sent(1002, 'ENETUNREACH');
  expect(tally.report()).toMatchObject({ sent: 3, lost: 2, refused: { ENETUNREACH: 2 } });
});

test('a packet that was never sent is an error of the meter', () => {
  expect(() => {
    tallyOf(1, [1]);
  }).toThrow('packet 1 arrived, 1 were sent');
});
