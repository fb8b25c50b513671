import type { RuleDelta, RuleEndpoint, RulePacket, RuleView } from '@canal/rules-ast';
import { type Complaint, createPrometheusMetrics } from '@canal/telemetry';
import { createCapturedLogger, createFakeClock } from '@canal/testing';
import { formatIp, type Ip, parseInterfaceName, parseIp, parseMac, unwrap } from 'net-types';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createAgentMetrics } from './agent-metrics.ts';
import { FlowCutter } from './flow-cutter.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));
const WEB = endpoint('web', '10.244.1.10');
const OTHER = endpoint('other', '10.244.1.11');
const NOTHING: RuleDelta = {
  newSets: [],
  newChains: [],
  members: new Map(),
  endpoints: [],
  removedEndpoints: [],
  removedChains: [],
  removedSets: [],
};

function endpoint(key: string, address: string): RuleEndpoint {
  const hostInterface = unwrap(parseInterfaceName(`cnl${key}`));
  return { key, hostInterface, mode: 'routed', mac: unwrap(parseMac('0a:00:00:00:00:01')), addresses: [ip(address)] };
}

function members(change: { readonly added?: string; readonly removed?: string }): RuleDelta {
  const list = (text?: string) => (text === undefined ? [] : [{ kind: 'addresses', ip: ip(text) } as const]);
  return { ...NOTHING, members: new Map([['ad-1', { added: list(change.added), removed: list(change.removed) }]]) };
}

const view: RuleView = {
  endpoints: () => [WEB, OTHER],
  chains: () => [],
  sets: () => [],
  members: () => [],
  memberCount: () => 0,
  keptCounters: () => new Set(),
};

const clock = createFakeClock();
let stop: AbortController;
let running: Promise<void>;
let failures: number;
/** Whether each judgement waited for packets in flight. */
let waited: boolean[];
/** What a judgement waits for. */
let gate: Promise<unknown>;
/** Time since the start of the test, and what was judged then. */
let judged: string[];
/** Events of the problems that are open. */
let told: readonly (string | undefined)[];
let allowed: ((packet: RulePacket) => boolean) | undefined;

beforeEach(() => {
  stop = new AbortController();
  failures = 0;
  gate = Promise.resolve();
  judged = [];
  waited = [];
  told = [];
});

afterEach(async () => {
  stop.abort();
  await running;
});

function create(strict = true): FlowCutter {
  const startMs = clock.nowMs();
  const kernel = {
    async judgeFlows(addresses: ReadonlySet<Ip>, mayPass: (packet: RulePacket) => boolean, tightened?: boolean) {
      const begunMs = clock.nowMs() - startMs;
      await gate;
      if (failures-- > 0) throw new Error('planned');
      allowed = mayPass;
      waited.push(tightened ?? true);
      judged.push(`${begunMs}: ${[...addresses].map(formatIp).sort().join(' ')}`);
      return { seen: 0, cut: 0, mended: 0 };
    },
  };
  const metrics = createAgentMetrics(createPrometheusMetrics(), 'test');
  const log = createCapturedLogger();
  const problems = { update: (_: string, all: readonly Complaint[]) => void (told = all.map(({ event }) => event)) };
  const cutter = new FlowCutter({ kernel, view, clock, log, metrics, problems, ownAddresses: () => [], strict });
  running = cutter.run(stop.signal);
  return cutter;
}

test('what tightens is judged soon, what only allows later, and a burst once', async () => {
  const cutter = create();
  cutter.applied(members({ added: '10.244.2.1' }));
  await clock.advance(40);
  expect(judged).toEqual([]);
  cutter.applied(members({ removed: '10.244.2.2' }));
  cutter.applied(members({ removed: '10.244.2.3' }));
  await clock.advance(1_000);
  expect(judged).toEqual(['90: 10.244.2.1 10.244.2.2 10.244.2.3']);
  cutter.applied(members({ added: '10.244.2.4' }));
  await clock.advance(1_000);
  expect(judged.slice(1)).toEqual(['1540: 10.244.2.4']);
});

test('an endpoint that is new can wait; one whose chains change cannot', async () => {
  const cutter = create();
  cutter.applied({ ...NOTHING, endpoints: [WEB] });
  await clock.advance(1_100);
  expect(judged).toEqual(['500: 10.244.1.10']);
  cutter.applied({ ...NOTHING, endpoints: [{ ...WEB, ingress: 'in-1' }] });
  await clock.advance(1_000);
  cutter.applied({ ...NOTHING, removedEndpoints: [WEB] });
  await clock.advance(1_000);
  cutter.applied({ ...NOTHING, endpoints: [WEB] });
  await clock.advance(1_000);
  expect(judged.slice(1)).toEqual(['1150: 10.244.1.10', '2600: 10.244.1.10', '3600: 10.244.1.10']);
});

test('who gets the address of an endpoint that went does not get its flows', async () => {
  const cutter = create();
  const toWeb: RulePacket = { source: ip('10.244.2.1'), destination: ip('10.244.1.10'), protocol: 17 };
  cutter.applied({ ...NOTHING, endpoints: [WEB] });
  await clock.advance(1_100);
  expect(allowed?.(toWeb)).toBe(true);
  // Judged before the address is another's: none is anybody's.
  cutter.applied({ ...NOTHING, removedEndpoints: [WEB] });
  await clock.advance(1_000);
  expect(allowed?.(toWeb)).toBe(false);
  cutter.applied({ ...NOTHING, endpoints: [endpoint('next', '10.244.1.10')] });
  await clock.advance(1_000);
  expect(allowed?.(toWeb)).toBe(true);
  // Another's at once: judged soon, by what that one may.
  cutter.applied({ ...NOTHING, removedEndpoints: [endpoint('next', '10.244.1.10')] });
  cutter.applied({ ...NOTHING, endpoints: [endpoint('third', '10.244.1.10')] });
  await clock.advance(1_000);
  expect(allowed?.(toWeb)).toBe(true);
  expect(judged.map((line) => Number(line.split(':')[0]))).toEqual([500, 1_600, 2_600, 3_150]);
});

test('however often something changes: judged within a second, and twice a second at the most', async () => {
  const cutter = create();
  for (let round = 0; round < 100; round++) {
    cutter.applied(members({ removed: `10.244.3.${round}` }));
    await clock.advance(50);
  }
  const times = judged.map((line) => Number(line.split(':')[0]));
  expect(times.length).toBeLessThanOrEqual(11);
  times.slice(1).forEach((time, index) => expect(time - (times[index] ?? 0)).toBeLessThanOrEqual(1_000));
  await clock.advance(1_000);
  expect(new Set(judged.flatMap((line) => line.split(' ').slice(1))).size).toBe(100);
});

test('a burst of pods is judged when it is over, or every two seconds', async () => {
  const cutter = create();
  for (let count = 0; count < 50; count++) {
    cutter.applied({ ...NOTHING, endpoints: [endpoint(`pod${count}`, `10.244.1.${count}`)] });
    await clock.advance(100);
  }
  await clock.advance(1_000);
  expect(judged.map((line) => Number(line.split(':')[0]))).toEqual([2_000, 4_000, 5_400]);
});

test('a judgement that fails is made again', async () => {
  failures = 2;
  const cutter = create();
  cutter.everything([]);
  await clock.advance(3_000);
  expect(judged).toEqual(['1050: 10.244.1.10 10.244.1.11']);
});

test('a judgement that fails time and again is a problem until one succeeds', async () => {
  failures = 4;
  const cutter = create();
  cutter.everything([]);
  await clock.advance(1_000);
  expect(told).toEqual([]);
  await clock.advance(500);
  expect(told).toEqual(['FlowsNotJudged']);
  await clock.advance(3_000);
  expect(told).toEqual([]);
  expect(judged).toHaveLength(1);
});

test('not strict: changes are not judged', async () => {
  const cutter = create(false);
  cutter.applied(members({ removed: '10.244.2.2' }));
  await clock.advance(2_000);
  expect(judged).toEqual([]);
  cutter.everything([]);
  await clock.advance(1_000);
  expect(judged).toHaveLength(1);
});

test('a pod that becomes known is only opened: that can wait', async () => {
  const cutter = create();
  const chains = (['ingress', 'egress'] as const).map((direction) => ({
    id: `${direction}-none`,
    direction,
    rules: [],
  }));
  const unknown = { ...WEB, ingress: 'ingress-none', egress: 'egress-none' };
  cutter.applied({ ...NOTHING, newChains: chains, endpoints: [unknown] });
  cutter.applied({ ...NOTHING, endpoints: [WEB] });
  await clock.advance(1_100);
  expect(judged).toEqual(['500: 10.244.1.10']);
  // From no rules to some is another matter, and so is a pod that was closed one way alone.
  cutter.applied({ ...NOTHING, endpoints: [unknown] });
  await clock.advance(600);
  cutter.applied({ ...NOTHING, endpoints: [{ ...WEB, ingress: 'ingress-none' }] });
  await clock.advance(1_100);
  cutter.applied({ ...NOTHING, endpoints: [{ ...WEB, ingress: 'in-1' }] });
  await clock.advance(100);
  expect(judged.slice(1)).toEqual(['1150: 10.244.1.10', '2200: 10.244.1.10', '2850: 10.244.1.10']);
});

test('packets in flight are waited for when something was tightened or went, also after a failure, and else not', async () => {
  const cutter = create();
  const judge = async (delta: RuleDelta): Promise<boolean | undefined> => {
    cutter.applied(delta);
    await clock.advance(2_000);
    return waited.at(-1);
  };
  // Of the time before nobody knows.
  expect(await judge({ ...NOTHING, endpoints: [WEB] })).toBe(true);
  expect(await judge({ ...NOTHING, endpoints: [OTHER] })).toBe(false);
  expect(await judge(members({ added: '10.244.2.1' }))).toBe(false);
  expect(await judge(members({ removed: '10.244.2.1' }))).toBe(true);
  expect(await judge({ ...NOTHING, removedEndpoints: [OTHER] })).toBe(true);
  expect(await judge({ ...NOTHING, endpoints: [OTHER] })).toBe(false);
  expect(await judge({ ...NOTHING, endpoints: [{ ...OTHER, ingress: 'in-1' }] })).toBe(true);
  failures = 1;
  expect(await judge(members({ removed: '10.244.2.2' }))).toBe(true);
  cutter.everything([]);
  await clock.advance(1_000);
  expect(waited).toHaveLength(9);
  expect(waited.at(-1)).toBe(true);
});

describe('who waits for the flows of an earlier owner', () => {
  const toWeb: RulePacket = { source: ip('10.244.2.1'), destination: ip('10.244.1.10'), protocol: 17 };
  const heir = endpoint('heir', '10.244.1.10');

  /** Whether the owner of the address may be told to begin. */
  function ready(cutter: FlowCutter): () => boolean {
    let isReady = false;
    void cutter.settled(heir.addresses, stop.signal).then(() => (isReady = true));
    return () => isReady;
  }

  test('nobody whose address is fresh, or of whose address all flows have been judged', async () => {
    const cutter = create();
    cutter.applied({ ...NOTHING, endpoints: [heir] });
    const fresh = ready(cutter);
    await clock.advance(0);
    expect([fresh(), judged]).toEqual([true, []]);
    cutter.applied({ ...NOTHING, removedEndpoints: [heir] });
    await clock.advance(1_000);
    expect(allowed?.(toWeb)).toBe(false);
    cutter.applied({ ...NOTHING, endpoints: [WEB] });
    const second = ready(cutter);
    await clock.advance(0);
    expect(second()).toBe(true);
  });

  test('whose address was another’s a moment ago: until its own rules have judged, which begins at once', async () => {
    const cutter = create();
    cutter.everything([]);
    await clock.advance(60);
    const held = Promise.withResolvers<undefined>();
    gate = held.promise;
    cutter.applied({ ...NOTHING, removedEndpoints: [WEB] });
    cutter.applied({ ...NOTHING, endpoints: [heir] });
    const isReady = ready(cutter);
    // Neither the pause after the last one nor the wait for more changes holds it up.
    await clock.advance(0);
    held.resolve(undefined);
    expect(isReady()).toBe(false);
    await clock.advance(0);
    expect(isReady()).toBe(true);
    expect(judged.slice(1)).toEqual(['60: 10.244.1.10']);
    expect(allowed?.(toWeb)).toBe(true);
  });

  test('also while those flows are judged as nobody’s: that is no word of its own rules', async () => {
    const cutter = create();
    cutter.applied({ ...NOTHING, endpoints: [WEB] });
    await clock.advance(1_100);
    const held = Promise.withResolvers<undefined>();
    gate = held.promise;
    cutter.applied({ ...NOTHING, removedEndpoints: [WEB] });
    await clock.advance(600);
    cutter.applied({ ...NOTHING, endpoints: [heir] });
    const isReady = ready(cutter);
    gate = Promise.resolve();
    held.resolve(undefined);
    await clock.advance(0);
    expect(judged.slice(1)).toEqual(['1600: 10.244.1.10', '1700: 10.244.1.10']);
    expect([isReady(), allowed?.(toWeb)]).toEqual([true, true]);
  });

  test('while judgements fail; and its flows are not denied as nobody’s afterwards', async () => {
    const cutter = create();
    cutter.applied({ ...NOTHING, endpoints: [WEB] });
    await clock.advance(1_100);
    failures = 4;
    cutter.applied({ ...NOTHING, removedEndpoints: [WEB] });
    await clock.advance(600);
    cutter.applied({ ...NOTHING, endpoints: [heir] });
    const isReady = ready(cutter);
    await clock.advance(1_300);
    // Who waits does not hasten them.
    expect([isReady(), failures]).toEqual([false, 1]);
    await clock.advance(1_000);
    expect([isReady(), allowed?.(toWeb)]).toEqual([true, true]);
    // The next judgement does not take them for the flows of nobody either.
    cutter.applied(members({ removed: '10.244.2.2' }));
    await clock.advance(1_000);
    expect(allowed?.(toWeb)).toBe(true);
  });

  test('who is gone again does not wait for ever', async () => {
    const cutter = create();
    failures = 1_000;
    cutter.applied({ ...NOTHING, removedEndpoints: [WEB] });
    cutter.applied({ ...NOTHING, endpoints: [heir] });
    const isReady = ready(cutter);
    await clock.advance(2_000);
    expect(isReady()).toBe(false);
    cutter.applied({ ...NOTHING, removedEndpoints: [heir] });
    await clock.advance(1_000);
    expect(isReady()).toBe(true);
  });

  test('of a pod that went while no agent ran, or whose end the kernel did not take at once', async () => {
    const cutter = create();
    cutter.everything([ip('10.244.1.20')]);
    await clock.advance(1_000);
    expect(judged).toEqual(['50: 10.244.1.10 10.244.1.11 10.244.1.20']);
    expect(allowed?.({ ...toWeb, destination: ip('10.244.1.20') })).toBe(false);
    expect(allowed?.(toWeb)).toBe(true);
    // The change is not in the kernel; a comparison brings it there, with the next owner.
    cutter.follow({ ...NOTHING, removedEndpoints: [endpoint('before', '10.244.1.10')] });
    cutter.everything([]);
    const held = Promise.withResolvers<undefined>();
    gate = held.promise;
    const isReady = ready(cutter);
    await clock.advance(0);
    expect(isReady()).toBe(false);
    held.resolve(undefined);
    await clock.advance(0);
    expect(isReady()).toBe(true);
  });

  test('of an endpoint that lost one of its addresses to another', async () => {
    const cutter = create();
    const two = { ...WEB, addresses: [...WEB.addresses, ip('10.244.1.20')] };
    cutter.applied({ ...NOTHING, endpoints: [two] });
    await clock.advance(1_100);
    cutter.applied({ ...NOTHING, endpoints: [{ ...two, addresses: [ip('10.244.1.20')] }, heir] });
    const isReady = ready(cutter);
    await clock.advance(0);
    expect(judged.at(-1)).toBe('1100: 10.244.1.10 10.244.1.20');
    await clock.advance(0);
    expect(isReady()).toBe(true);
    // And of one that nobody has now.
    cutter.applied({ ...NOTHING, endpoints: [{ ...heir, addresses: [] }] });
    await clock.advance(1_000);
    expect([judged.at(-1), allowed?.(toWeb)]).toEqual(['1600: 10.244.1.10', false]);
  });

  test('and gives up: nothing goes on for it', async () => {
    const cutter = create();
    failures = 1_000;
    cutter.applied({ ...NOTHING, removedEndpoints: [WEB] });
    cutter.applied({ ...NOTHING, endpoints: [heir] });
    const over = new AbortController();
    let outcome = 'waits';
    const settled = cutter.settled(heir.addresses, over.signal);
    settled.then(
      () => (outcome = 'settled'),
      () => (outcome = 'gave up'),
    );
    await clock.advance(2_000);
    expect(outcome).toBe('waits');
    over.abort();
    await clock.advance(0);
    expect(outcome).toBe('gave up');
    // Who comes when the time is over does not wait either.
    await expect(cutter.settled(heir.addresses, over.signal)).rejects.toThrow();
  });

  test.each(['is served', 'gives up'])('and %s during a judgement: the next one waits as ever', async (what) => {
    const cutter = create();
    cutter.everything([]);
    await clock.advance(1_000);
    const held = Promise.withResolvers<undefined>();
    gate = held.promise;
    cutter.applied({ ...NOTHING, removedEndpoints: [WEB] });
    cutter.applied({ ...NOTHING, endpoints: [heir] });
    await clock.advance(100);
    const over = new AbortController();
    const settled = cutter.settled(heir.addresses, over.signal).catch(() => undefined);
    if (what === 'gives up') over.abort();
    held.resolve(undefined);
    await clock.advance(0);
    await settled;
    expect(judged.slice(1)).toEqual(['1050: 10.244.1.10']);
    cutter.applied(members({ removed: '10.244.2.2' }));
    await clock.advance(1_000);
    expect(judged.slice(2)).toEqual(['1600: 10.244.2.2']);
  });

  test('nobody where flows may outlive a change', async () => {
    const cutter = create(false);
    cutter.applied({ ...NOTHING, endpoints: [WEB] });
    cutter.applied({ ...NOTHING, removedEndpoints: [WEB] });
    cutter.applied({ ...NOTHING, endpoints: [heir] });
    const isReady = ready(cutter);
    await clock.advance(0);
    expect([isReady(), judged]).toEqual([true, []]);
  });
});
