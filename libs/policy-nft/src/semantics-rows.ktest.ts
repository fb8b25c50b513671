/**
 * The checklist of NetworkPolicy v1 semantics, row by row: objects through the real parser, engine and kernel, and real
 * packets. Each way is asked by IPv4 and IPv6, to pods by their address and by a service (of nftables where pods are
 * routed, of iptables-nft where they are on a bridge), from the same node and from others.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { Injection, PodMode } from '@canal/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROWS } from './testing/checklist-rows.ts';
import { type ChecklistWorld, createChecklistWorld } from './testing/checklist-world.ts';

/** Rows that other tests show too, or alone: by file and title. */
const ELSEWHERE: readonly (readonly [number, string, string])[] = [
  [15, './policy-packets.ktest.ts', 'errors about allowed flows pass, and no others'],
  [18, './policy-flows.ktest.ts', 'of the flows of a pod that is isolated, those that it may not take are cut'],
  [18, './policy-packets.ktest.ts', 'what is open stays open when rules change'],
  [
    19,
    '../../../apps/policy-agent/src/new-pods.ktest.ts',
    'nothing that a pod sends before its rules are there is accepted',
  ],
  [20, '../../../apps/policy-agent/src/repair-times.ktest.ts', 'each kind of tampering is repaired within a second'],
  [
    20,
    '../../../apps/policy-agent/src/agent-kills.ktest.ts',
    'while all changes: no denied flow passes, no allowed one is lost',
  ],
  [
    20,
    '../../../apps/policy-agent/src/agent-kills.ktest.ts',
    'the same generation of rules, a silent monitor of routes',
  ],
  [26, './policy-packets.ktest.ts', 'router advertisements, redirects and neighbour messages of others do not pass'],
];
const ROW_COUNT = 30;

test('each row of the checklist has a test', () => {
  const here = ROWS.flatMap(({ rows }) => rows);
  const elsewhere = ELSEWHERE.filter(([, file, title]) => {
    const path = new URL(file, import.meta.url);
    return existsSync(path) && readFileSync(path, 'utf8').includes(title);
  });
  expect(elsewhere).toEqual(ELSEWHERE);
  // Row 30 is the last test of this file.
  const covered = new Set([...here, ...elsewhere.map(([row]) => row), 30]);
  const missing = Array.from({ length: ROW_COUNT }, (_, index) => index + 1).filter((row) => !covered.has(row));
  expect(missing).toEqual([]);
});

describe.each<PodMode>(['routed', 'bridge'])('pods %s', (mode) => {
  let checklist: ChecklistWorld;
  let probes = 0;

  beforeAll(async () => {
    checklist = await createChecklistWorld(mode);
  });

  afterAll(async () => {
    process.stdout.write(`pods ${mode}: ${ROWS.length} cases, ${probes} flows by real packets\n`);
    await checklist[Symbol.asyncDispose]();
  });

  test.each(ROWS.map((row) => [row.rows.join(', '), row.title, row] as const))(
    'row %s: %s',
    async (_rows, _title, row) => {
      const outcome = await checklist.run(row.steps);
      expect(outcome.differences).toEqual([]);
      probes += outcome.probes;
    },
  );

  test('row 30: what is denied is dropped without a word, and without policy there is one', async () => {
    const { world, prober } = checklist;
    const [subject, web] = [checklist.place('subject'), checklist.place('web')];
    const policies = ROWS[0]?.steps[0]?.policies ?? [];
    const packets = (['ip4', 'ip6'] as const).flatMap((family) =>
      (['tcp', 'udp'] as const).map((protocol): Injection => ({
        from: web.netns,
        packet: { source: web[family], destination: subject[family], protocol, sourcePort: 7000, port: 9 },
      })),
    );
    /** Refusals of TCP, and unreachables of ICMP: nobody listens there. */
    const words = async (): Promise<number> => {
      world.node.run(['conntrack', '-F']);
      const [seen = []] = await prober.inject(packets, [web.netns], 60);
      return seen.filter(({ protocol, type }) => protocol === 6 || type === 3 || (protocol === 58 && type === 1))
        .length;
    };
    const counts: number[] = [];
    for (const step of [{ policies }, { policies: [] }]) {
      await checklist.run([step], async () => {
        counts.push(await words());
      });
    }
    expect(counts).toEqual([0, packets.length]);
  });
});

describe('the counter-proof', () => {
  test('an open way that is told to be closed is found out, and the reverse', async () => {
    await using checklist = await createChecklistWorld('routed');
    const [row] = ROWS;
    const [step] = row?.steps ?? [];
    if (step === undefined) throw new Error('no row');
    const { open = [], closed = [] } = step;
    const { differences, probes } = await checklist.run([{ ...step, open: closed, closed: open }]);
    expect(differences).toHaveLength(probes);
  });
});
