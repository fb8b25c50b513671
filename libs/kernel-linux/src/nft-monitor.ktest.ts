/** What others do to nf_tables is heard, what we do is not; a loop on it repairs within a second, usually milliseconds. */
import type { TrafficEvent, TrafficKernel } from '@canal/kernel-port';
import type { TrafficTable } from '@canal/model';
import { createTestNetns, type TestNetns, waitFor } from '@canal/testing';
import { parseCidr, unwrap } from 'net-types';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createNftTrafficKernel } from './nft-traffic-kernel.ts';

const TABLE = 'ours';
const WANTED: TrafficTable = {
  name: TABLE,
  chains: [
    {
      name: 'postrouting',
      type: 'nat',
      hook: 'postrouting',
      priority: 100,
      rules: [
        {
          matches: [{ type: 'source', cidr: unwrap(parseCidr('10.244.0.0/16')) }],
          verdict: { type: 'masquerade', fullyRandom: true },
          comment: 'pods',
        },
      ],
    },
  ],
};

let netns: TestNetns;
let kernel: TrafficKernel;
let stop: AbortController;
let running: Promise<void>[];

beforeEach(() => {
  netns = createTestNetns('nftmon');
  kernel = createNftTrafficKernel({ netns: netns.path });
  stop = new AbortController();
  running = [];
});

afterEach(async () => {
  stop.abort();
  await Promise.all(running);
  kernel.close();
  netns[Symbol.dispose]();
});

const nft = (...lines: readonly string[]): string => netns.run(['nft', '-f', '-'], { stdin: `${lines.join('\n')}\n` });

/** Hears from the next line on: everything up to the first resync is over when this returns. */
async function listen(): Promise<TrafficEvent['type'][]> {
  const heard: TrafficEvent['type'][] = [];
  running.push(
    (async () => {
      for await (const { type } of kernel.monitor(TABLE, stop.signal)) heard.push(type);
    })(),
  );
  await waitFor('the first resync', () => heard.length > 0);
  return heard;
}

/** A change in a table of ours that ends the wait for what should not have been heard before it. */
async function heardBeforeMarker(heard: TrafficEvent['type'][]): Promise<TrafficEvent['type'][]> {
  const before = heard.length;
  nft(`add table inet ${TABLE}`, `add chain inet ${TABLE} marker`);
  await waitFor('the marker', () => heard.length > before && heard.at(-1) === 'changed');
  return heard.slice(0, -1);
}

describe('what is heard', () => {
  test('begins with a resync and ends with the signal', async () => {
    const heard = await listen();
    expect(heard).toEqual(['resync']);
    stop.abort();
    await Promise.all(running);
    expect(heard).toEqual(['resync']);
  });

  test('our own transactions are not', async () => {
    const heard = await listen();
    await kernel.apply(WANTED);
    await kernel.remove(TABLE);
    await kernel.apply(WANTED);
    expect(await heardBeforeMarker(heard)).toEqual(['resync']);
  });

  test.each([
    { name: 'a rule', lines: [`add rule inet ${TABLE} postrouting drop`] },
    {
      name: 'many rules in one transaction, once',
      lines: new Array<string>(200).fill(`add rule inet ${TABLE} postrouting drop`),
    },
    { name: 'a set', lines: [`add set inet ${TABLE} s { type ipv4_addr; }`] },
    { name: 'a deleted table', lines: [`delete table inet ${TABLE}`] },
    { name: 'a flushed ruleset', lines: ['flush ruleset'] },
  ])('$name of another program in our table is', async ({ lines }) => {
    await kernel.apply(WANTED);
    const heard = await listen();
    nft(...lines);
    await waitFor('the event', () => heard.length > 1);
    expect(await heardBeforeMarker(heard)).toEqual(['resync', 'changed']);
  });

  test('what happens in tables that do not filter forwarding is not', async () => {
    const heard = await listen();
    nft(
      'add table inet theirs',
      'add chain inet theirs c { type filter hook input priority 0; policy drop; }',
      'add rule inet theirs c drop',
    );
    nft(
      `add table ip ${TABLE}`,
      `add chain ip ${TABLE} postrouting { type nat hook postrouting priority 100; }`,
      `add rule ip ${TABLE} postrouting masquerade`,
    );
    nft('delete table inet theirs');
    expect(await heardBeforeMarker(heard)).toEqual(['resync']);
  });

  test('a chain at the forward hook, a rule of its table and its end are, each once', async () => {
    const heard = await listen();
    netns.run(['iptables-nft', '-P', 'FORWARD', 'DROP']);
    await waitFor('the chain', () => heard.length > 1);
    nft('add rule ip filter FORWARD accept');
    await waitFor('the rule', () => heard.length > 2);
    nft('delete table ip filter');
    await waitFor('the end', () => heard.length > 3);
    expect(await heardBeforeMarker(heard)).toEqual(['resync', 'forward-hook', 'forward-hook', 'forward-hook']);
  });

  test('a table that filtered forwarding before is known from the start', async () => {
    netns.run(['iptables-nft', '-P', 'FORWARD', 'DROP']);
    const heard = await listen();
    nft('add rule ip filter FORWARD accept');
    await waitFor('the rule', () => heard.length > 1);
    expect(await heardBeforeMarker(heard)).toEqual(['resync', 'forward-hook']);
  });
});

test('events that were lost are a resync, and what happened meanwhile is mended', async () => {
  await kernel.apply(WANTED);
  const heard = await listen();
  // One call that blocks this program: more events than the socket holds, and our table's end among them.
  const elements = Array.from(
    { length: 120_000 },
    (_, index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
  );
  nft(
    'add table inet theirs',
    'add set inet theirs s { type ipv4_addr; }',
    `add element inet theirs s { ${elements.join(', ')} }`,
    'flush set inet theirs s',
    `delete table inet ${TABLE}`,
  );
  await waitFor('the resync', () => heard.at(-1) === 'resync' && heard.length > 1);
  expect((await kernel.apply(WANTED)).differences.map(({ code }) => code)).toEqual(['table-missing']);
});

describe('a loop that applies on every event', () => {
  test.each([
    { name: 'nft flush ruleset', lines: ['flush ruleset'] },
    { name: 'nft delete table', lines: [`delete table inet ${TABLE}`] },
    { name: 'nft flush table', lines: [`flush table inet ${TABLE}`] },
    { name: 'a rule in front', lines: [`insert rule inet ${TABLE} postrouting accept`] },
    {
      name: 'a deleted chain',
      lines: [`flush chain inet ${TABLE} postrouting`, `delete chain inet ${TABLE} postrouting`],
    },
    {
      name: 'a foreign chain',
      lines: [`add chain inet ${TABLE} theirs { type filter hook forward priority 0; policy drop; }`],
    },
    { name: 'a dormant table', lines: [`add table inet ${TABLE} { flags dormant; }`] },
  ])('has $name mended within a second', async ({ name, lines }) => {
    await kernel.apply(WANTED);
    const good = netns.run(['nft', 'list', 'ruleset']);
    const mendedMs: number[] = [];
    let started = false;
    running.push(
      (async () => {
        for await (const { type } of kernel.monitor(TABLE, stop.signal)) {
          const { differences } = await kernel.apply(WANTED);
          if (differences.length > 0) mendedMs.push(performance.now());
          started ||= type === 'resync';
        }
      })(),
    );
    await waitFor('the loop', () => started);
    const times: number[] = [];
    for (let round = 0; round < 5; round++) {
      const before = mendedMs.length;
      nft(...lines);
      const changedMs = performance.now();
      await waitFor('the repair', () => mendedMs.length > before, 1_000);
      times.push((mendedMs.at(-1) ?? 0) - changedMs);
      expect(netns.run(['nft', 'list', 'ruleset'])).toBe(good);
    }
    times.sort((a, b) => a - b);
    process.stderr.write(`repair after ${name}: median ${times[2]?.toFixed(1)} ms, worst ${times[4]?.toFixed(1)} ms\n`);
    expect(times[4]).toBeLessThan(1_000);
  });
});
