/** The table of masquerade and forward rules in a real kernel; verdict by nft. */
import type { TrafficKernel } from '@canal/kernel-port';
import type { TrafficTable, TrafficVerdict } from '@canal/model';
import { createTestNetns, type TestNetns } from '@canal/testing';
import fc from 'fast-check';
import { cidrOf, ipFromBytes, parseCidr, unwrap } from 'net-types';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createNftTrafficKernel } from './nft-traffic-kernel.ts';

const cidr = (text: string) => unwrap(parseCidr(text));
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
        { matches: [{ type: 'mark', mask: 0x4000, value: 0x4000 }], verdict: { type: 'return' }, comment: 'marked' },
        {
          matches: [
            { type: 'source', cidr: cidr('10.244.1.0/24') },
            { type: 'destination', cidr: cidr('10.240.0.0/13') },
          ],
          verdict: { type: 'return' },
          comment: 'between pods',
        },
        {
          matches: [
            { type: 'source', cidr: cidr('fd00:10:244::/48') },
            { type: 'destination', cidr: cidr('ff00::/8'), negated: true },
          ],
          verdict: { type: 'masquerade', fullyRandom: true },
          comment: 'pods to outside',
        },
        {
          matches: [{ type: 'source', cidr: cidr('10.244.1.7/32'), negated: true }],
          verdict: { type: 'masquerade', fullyRandom: false },
          comment: '',
        },
      ],
    },
    {
      name: 'forward',
      type: 'filter',
      hook: 'forward',
      priority: 20,
      rules: [
        {
          matches: [{ type: 'source', cidr: cidr('10.244.0.0/16') }],
          verdict: { type: 'accept' },
          comment: 'from pods',
        },
      ],
    },
  ],
};

const LISTING = `table inet ours {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		meta mark & 0x00004000 == 0x00004000 counter packets 0 bytes 0 return comment "marked"
		ip saddr 10.244.1.0/24 ip daddr 10.240.0.0/13 counter packets 0 bytes 0 return comment "between pods"
		ip6 saddr fd00:10:244::/48 ip6 daddr != ff00::/8 counter packets 0 bytes 0 masquerade fully-random comment "pods to outside"
		ip saddr != 10.244.1.7 counter packets 0 bytes 0 masquerade comment ""
	}

	chain forward {
		type filter hook forward priority 20; policy accept;
		ip saddr 10.244.0.0/16 counter packets 0 bytes 0 accept comment "from pods"
	}
}
`;

let netns: TestNetns;
let kernel: TrafficKernel;

beforeEach(() => {
  netns = createTestNetns('nft');
  kernel = createNftTrafficKernel({ netns: netns.path });
});

afterEach(() => {
  kernel.close();
  netns[Symbol.dispose]();
});

const nft = (text: string): string => netns.run(['nft', '-f', '-'], { stdin: `${text}\n` });
const listing = (): string => netns.run(['nft', 'list', 'table', 'inet', TABLE]);
const handleOf = (comment: string): string => {
  const line = netns
    .run(['nft', '-a', 'list', 'table', 'inet', TABLE])
    .split('\n')
    .find((text) => text.includes(`"${comment}"`));
  return /# handle (\d+)/.exec(line ?? '')?.[1] ?? '';
};
describe('apply', () => {
  test('writes what nft lists in these words', async () => {
    const { differences } = await kernel.apply(WANTED);
    expect(differences.map(({ code }) => code)).toEqual(['table-missing']);
    expect(listing()).toBe(LISTING);
  });

  test('on an equal table writes nothing: the handles of its rules stay', async () => {
    await kernel.apply(WANTED);
    const before = netns.run(['nft', '-a', 'list', 'ruleset']);
    const again = await kernel.apply(WANTED);
    expect(again.differences).toEqual([]);
    expect(netns.run(['nft', '-a', 'list', 'ruleset'])).toBe(before);
  });

  test('reads back what nft itself has made of the same text as equal', async () => {
    await kernel.apply(WANTED);
    const text = listing().replaceAll(/counter packets 0 bytes 0/g, 'counter');
    nft(`delete table inet ${TABLE}\n${text}`);
    expect((await kernel.compare(WANTED)).differences).toEqual([]);
  });

  test('an unwanted table goes, and one that is not there is no difference', async () => {
    await kernel.apply(WANTED);
    const none = { name: TABLE, chains: [] };
    expect((await kernel.apply(none)).differences.map(({ code }) => code)).toEqual(['table-unwanted']);
    expect(netns.run(['nft', 'list', 'ruleset'])).toBe('');
    expect((await kernel.apply(none)).differences).toEqual([]);
  });

  test('remove tells whether there was a table', async () => {
    await kernel.apply(WANTED);
    expect(await kernel.remove(TABLE)).toBe(true);
    expect(await kernel.remove(TABLE)).toBe(false);
  });

  test('the generation is one of the content', async () => {
    const first = await kernel.apply(WANTED);
    const other = { ...WANTED, chains: WANTED.chains.slice(0, 1) };
    expect((await kernel.apply(other)).generation).not.toBe(first.generation);
    expect((await kernel.apply(WANTED)).generation).toBe(first.generation);
    expect(first.generation).toMatch(/^[0-9a-f]{12}$/);
  });

  test('tables of others stay as they are, byte for byte', async () => {
    nft(`table inet theirs {
  set s { type ipv4_addr; elements = { 192.0.2.1 } }
  chain ours { type filter hook forward priority 20; policy drop; ip saddr @s counter accept; }
}
table ip ${TABLE} {
  chain postrouting {
    type nat hook postrouting priority 100
    masquerade
  }
}`);
    const theirs = netns.run(['nft', '-a', 'list', 'ruleset']);
    await kernel.apply(WANTED);
    nft(`flush table inet ${TABLE}`);
    await kernel.apply(WANTED);
    await kernel.remove(TABLE);
    expect(netns.run(['nft', '-a', 'list', 'ruleset'])).toBe(theirs);
  });
});

test('whatever is written is read back as equal', async () => {
  const block = fc
    .oneof(...[4, 16].map((length) => fc.uint8Array({ minLength: length, maxLength: length })))
    .chain((bytes) =>
      fc.nat(bytes.length * 8).map((prefixLen) => cidrOf(ipFromBytes(bytes) ?? cidr('::/0').ip, prefixLen)),
    );
  const address = fc.record({
    type: fc.constantFrom('source' as const, 'destination' as const),
    cidr: block,
    negated: fc.boolean(),
  });
  const mark = fc.record({ type: fc.constant('mark' as const), mask: fc.nat(0xffff_ffff), value: fc.nat(0xffff_ffff) });
  const rule = fc.record({
    matches: fc.uniqueArray(fc.oneof(address, mark), { selector: ({ type }) => type === 'mark', maxLength: 2 }),
    verdict: fc.constantFrom<TrafficVerdict>(
      { type: 'accept' },
      { type: 'return' },
      { type: 'masquerade', fullyRandom: true },
    ),
    comment: fc.string({ maxLength: 30, unit: 'grapheme-ascii' }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(rule, { maxLength: 6 }), async (rules) => {
      const table: TrafficTable = {
        name: TABLE,
        chains: [{ name: 'c', type: 'nat', hook: 'postrouting', priority: 7, rules }],
      };
      await kernel.apply(table);
      expect((await kernel.apply(table)).differences).toEqual([]);
      expect(
        listing()
          .split('\n')
          .filter((line) => line.includes('counter')),
      ).toHaveLength(rules.length);
    }),
    { numRuns: 60 },
  );
});

describe('what others change is found and mended', () => {
  test.each<{ name: string; tamper: () => string; codes: readonly string[] }>([
    { name: 'a flushed ruleset', tamper: () => 'flush ruleset', codes: ['table-missing'] },
    { name: 'a deleted table', tamper: () => `delete table inet ${TABLE}`, codes: ['table-missing'] },
    { name: 'a flushed table', tamper: () => `flush table inet ${TABLE}`, codes: ['rules-changed', 'rules-changed'] },
    { name: 'a flushed chain', tamper: () => `flush chain inet ${TABLE} postrouting`, codes: ['rules-changed'] },
    {
      name: 'a deleted rule',
      tamper: () => `delete rule inet ${TABLE} postrouting handle ${handleOf('between pods')}`,
      codes: ['rules-changed'],
    },
    {
      name: 'a rule in front',
      tamper: () => `insert rule inet ${TABLE} postrouting ip saddr 10.244.1.5 masquerade`,
      codes: ['rules-changed'],
    },
    { name: 'a rule behind', tamper: () => `add rule inet ${TABLE} forward drop`, codes: ['rules-changed'] },
    {
      name: 'the same rule twice',
      tamper: () => `add rule inet ${TABLE} forward ip saddr 10.244.0.0/16 counter accept comment "from pods"`,
      codes: ['rules-changed'],
    },
    {
      name: 'a rule with another mark mask',
      tamper: () =>
        `replace rule inet ${TABLE} postrouting handle ${handleOf('marked')} meta mark 0x4000 counter return comment "marked"`,
      codes: ['rules-changed'],
    },
    {
      name: 'a rule with another comment',
      tamper: () =>
        `replace rule inet ${TABLE} forward handle ${handleOf('from pods')} ip saddr 10.244.0.0/16 counter accept comment "from podz"`,
      codes: ['rules-changed'],
    },
    {
      name: 'a rule without its counter',
      tamper: () =>
        `replace rule inet ${TABLE} forward handle ${handleOf('from pods')} ip saddr 10.244.0.0/16 accept comment "from pods"`,
      codes: ['rules-changed'],
    },
    {
      name: 'rules in another order',
      tamper: () =>
        `delete rule inet ${TABLE} postrouting handle ${handleOf('marked')}\nadd rule inet ${TABLE} postrouting meta mark and 0x4000 == 0x4000 counter return comment "marked"`,
      codes: ['rules-changed'],
    },
    {
      name: 'a deleted chain',
      tamper: () => `flush chain inet ${TABLE} forward\ndelete chain inet ${TABLE} forward`,
      codes: ['chain-missing'],
    },
    {
      name: 'a chain of theirs',
      tamper: () => `add chain inet ${TABLE} theirs { type filter hook input priority 0; policy drop; }`,
      codes: ['chain-foreign'],
    },
    {
      name: 'a chain of theirs that ours jumps to',
      tamper: () =>
        `add chain inet ${TABLE} theirs\nadd rule inet ${TABLE} theirs drop\ninsert rule inet ${TABLE} forward jump theirs`,
      codes: ['rules-changed', 'chain-foreign'],
    },
    {
      name: 'two chains of theirs that jump to each other',
      tamper: () => `add chain inet ${TABLE} a\nadd chain inet ${TABLE} b\nadd rule inet ${TABLE} a jump b`,
      codes: ['chain-foreign', 'chain-foreign'],
    },
    { name: 'a set of theirs', tamper: () => `add set inet ${TABLE} s { type ipv4_addr; }`, codes: ['table-changed'] },
    {
      name: 'a map of theirs with verdicts, in use',
      tamper: () =>
        `add chain inet ${TABLE} c\nadd map inet ${TABLE} m { type ipv4_addr : verdict; elements = { 10.0.0.1 : jump c }; }\nadd rule inet ${TABLE} forward ip saddr vmap @m`,
      codes: ['table-changed', 'rules-changed', 'chain-foreign'],
    },
    {
      name: 'a table put to sleep',
      tamper: () => `add table inet ${TABLE} { flags dormant; }`,
      codes: ['table-changed'],
    },
    {
      name: 'another policy',
      tamper: () => `add chain inet ${TABLE} forward { policy drop; }`,
      codes: ['chain-changed'],
    },
    {
      name: 'a chain at another priority',
      tamper: () =>
        `delete chain inet ${TABLE} forward\nadd chain inet ${TABLE} forward { type filter hook forward priority -20; }`,
      codes: ['chain-changed'],
    },
    {
      name: 'a chain without a hook',
      tamper: () => `delete chain inet ${TABLE} forward\nadd chain inet ${TABLE} forward`,
      codes: ['chain-changed'],
    },
    {
      name: 'another table of that name',
      tamper: () => `delete table inet ${TABLE}\nadd table inet ${TABLE}\nadd chain inet ${TABLE} forward`,
      codes: ['chain-missing', 'chain-changed'],
    },
  ])('$name', async ({ tamper, codes }) => {
    await kernel.apply(WANTED);
    nft(tamper());
    expect((await kernel.compare(WANTED)).differences.map(({ code }) => code)).toEqual(codes);
    expect((await kernel.apply(WANTED)).differences.map(({ code }) => code)).toEqual(codes);
    expect(listing()).toBe(LISTING);
    expect((await kernel.compare(WANTED)).differences).toEqual([]);
  });

  test('rules that are right keep their counters when another chain is mended', async () => {
    await kernel.apply(WANTED);
    const handle = handleOf('from pods');
    nft(`flush chain inet ${TABLE} postrouting`);
    await kernel.apply(WANTED);
    expect(handleOf('from pods')).toBe(handle);
  });
});

test('a table that another program owns is an error that says so, and stays theirs', async () => {
  const holder = netns.within(() => Bun.spawn(['nft', '-i'], { stdin: 'pipe', stdout: 'ignore', stderr: 'ignore' }));
  try {
    void holder.stdin.write(`add table inet ${TABLE} { flags owner; }\n`);
    await holder.stdin.flush();
    await expect.poll(() => netns.run(['nft', 'list', 'tables'])).toContain(TABLE);
    await expect(kernel.apply(WANTED)).rejects.toMatchObject({ name: 'KernelError', code: 'permission' });
  } finally {
    holder.kill();
    await holder.exited;
  }
});

test('after close every call is refused', async () => {
  kernel.close();
  await expect(kernel.compare(WANTED)).rejects.toMatchObject({ name: 'KernelError', code: 'closed' });
});

test('a namespace that is none is an error that says so', () => {
  expect(() => createNftTrafficKernel({ netns: '/nonexistent' })).toThrow(/ENOENT/);
});
