import { FakeNodes } from '@canal/node-api/testing';
import { createFakeClock } from '@canal/testing';
import { expect, test } from 'vitest';
import { NETWORK_STATUS, PEERS, POLICIES } from './agent-questions.ts';
import { NodeQuestions } from './node-questions.ts';

const NEVER = new AbortController().signal;
const NAMES = Array.from({ length: 100 }, (_, index) => `n${String(index).padStart(3, '0')}`);

function setUp() {
  const nodes = new FakeNodes();
  const clock = createFakeClock();
  const questions = new NodeQuestions({ nodeApi: nodes, clock, timeMs: () => Date.parse('2026-11-21T12:00:00.000Z') });
  const status = (node: string) => ({ version: '1', node, ready: true, notes: [], addresses: [], leases: [] });
  const serve = (node: string): void => {
    nodes.serve(node, 'flanneld', async function* answer({ op }) {
      for (let turn = 0; turn < 10; turn++) await Promise.resolve();
      yield { ok: true, value: op === 'network-status' ? status(node) : [] };
    });
  };
  return { nodes, clock, questions, serve };
}

test('many nodes are asked sixteen at once, and answered in their order', async () => {
  const { nodes, questions, serve } = setUp();
  for (const name of NAMES) serve(name);
  const answers = await questions.askAll(NAMES, NETWORK_STATUS, NEVER);
  expect(answers.map(({ node }) => node)).toEqual(NAMES);
  expect(answers.every(({ ok }) => ok)).toBe(true);
  expect(nodes.mostAtOnce).toBe(16);
});

test('readers at one time share each question, and so do those of the next second', async () => {
  const { nodes, clock, questions, serve } = setUp();
  for (const name of NAMES) serve(name);
  const all = Array.from({ length: 200 }, () => questions.askAll(NAMES, NETWORK_STATUS, NEVER));
  await Promise.all(all);
  expect(nodes.asked).toHaveLength(NAMES.length);
  expect(nodes.mostAtOnce).toBe(16);
  await clock.advance(900);
  await questions.askAll(NAMES, NETWORK_STATUS, NEVER);
  expect(nodes.asked).toHaveLength(NAMES.length);
  await questions.ask('n000', PEERS, NEVER);
  expect(nodes.asked).toHaveLength(NAMES.length + 1);
  await clock.advance(101);
  await questions.askAll(NAMES, NETWORK_STATUS, NEVER);
  expect(nodes.asked).toHaveLength(2 * NAMES.length + 1);
});

test('a question that is not to be shared is asked each time', async () => {
  const { nodes, questions } = setUp();
  nodes.serve('a', 'policy-agent', async function* answer() {
    await Promise.resolve();
    yield { ok: true, value: [] };
  });
  await Promise.all([questions.ask('a', POLICIES, NEVER), questions.ask('a', POLICIES, NEVER)]);
  expect(nodes.asked).toHaveLength(2);
});

test('a reader who leaves does not take the answer from the others', async () => {
  const { clock, nodes, questions, serve } = setUp();
  serve('a');
  const leave = new AbortController();
  const left = questions.ask('a', NETWORK_STATUS, leave.signal).catch(() => 'left');
  const stays = questions.ask('a', NETWORK_STATUS, NEVER);
  leave.abort();
  expect(await left).toBe('left');
  expect((await stays).ok).toBe(true);
  expect(nodes.asked).toHaveLength(1);
  await clock.advance(0);
});

test('a node that says nothing costs two seconds once, and is not waited for again at once', async () => {
  const { nodes, clock, questions, serve } = setUp();
  serve('a');
  nodes.silence('b', 'flanneld');
  const first = questions.askAll(['a', 'b'], NETWORK_STATUS, NEVER);
  await clock.advance(1_999);
  let isThere = false;
  void first.then(() => (isThere = true));
  await clock.advance(0);
  expect(isThere).toBe(false);
  await clock.advance(1);
  expect(await first).toMatchObject([
    { node: 'a', ok: true },
    { node: 'b', ok: false, code: 'unreachable', reason: 'no answer within 2 s; not heard of yet' },
  ]);
  await clock.advance(2_000);
  const again = await questions.ask('b', PEERS, NEVER);
  expect(again).toMatchObject({ ok: false, code: 'unreachable' });
  expect(nodes.asked.filter(({ node }) => node === 'b')).toHaveLength(1);
  serve('b');
  await clock.advance(3_000);
  expect((await questions.ask('b', NETWORK_STATUS, NEVER)).ok).toBe(true);
});

test('when many nodes say nothing, a call ends in time and names those that were not asked', async () => {
  const { nodes, clock, questions } = setUp();
  const names = Array.from({ length: 2_000 }, (_, index) => `n${String(index).padStart(4, '0')}`);
  for (const name of names) nodes.silence(name, 'flanneld');
  const asking = questions.askAll(names, NETWORK_STATUS, NEVER);
  await clock.advance(8_000);
  const answers = await asking;
  expect(answers).toHaveLength(names.length);
  expect(nodes.mostAtOnce).toBeLessThanOrEqual(16 * (2_000 / 125));
  expect(answers.at(-1)).toMatchObject({ ok: false, reason: expect.stringContaining('not asked in time') as unknown });
  expect(answers[0]).toMatchObject({ ok: false, reason: expect.stringContaining('no answer within 2 s') as unknown });
});

test('many nodes that say nothing do not hide those that are well', async () => {
  const { nodes, clock, questions, serve } = setUp();
  for (const name of NAMES.slice(0, 80)) nodes.silence(name, 'flanneld');
  for (const name of NAMES.slice(80)) serve(name);
  const asking = questions.askAll(NAMES, NETWORK_STATUS, NEVER);
  for (let waited = 0; waited < 80; waited++) await clock.advance(100);
  const answers = await asking;
  expect(answers.filter(({ ok }) => ok).map(({ node }) => node)).toEqual(NAMES.slice(80));
  expect(new Set(answers.slice(0, 80).map((answer) => !answer.ok && answer.reason))).toEqual(
    new Set(['no answer within 2 s; not heard of yet']),
  );
});

test('when a node was last heard of is told', async () => {
  const { nodes, clock, questions, serve } = setUp();
  serve('a');
  await questions.ask('a', NETWORK_STATUS, NEVER);
  nodes.close('a', 'flanneld');
  await clock.advance(1_000);
  expect(await questions.ask('a', NETWORK_STATUS, NEVER)).toMatchObject({
    reason: 'connection refused; last heard of at 2026-11-21T12:00:00.000Z',
  });
});

test('a long error is cut, with all its characters whole', async () => {
  const { nodes, questions } = setUp();
  nodes.serve('a', 'flanneld', async function* answer() {
    await Promise.resolve();
    yield { ok: false, code: 'internal', message: '😀'.repeat(1_000) };
  });
  const answer = await questions.ask('a', NETWORK_STATUS, NEVER);
  if (answer.ok) throw new Error('it must fail');
  expect(answer.code).toBe('agent');
  expect(answer.reason.length).toBeLessThan(400);
  expect(answer.reason.isWellFormed()).toBe(true);
});
