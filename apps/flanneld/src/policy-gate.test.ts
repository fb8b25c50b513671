import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCapturedLogger, createFakeClock, waitFor } from '@canal/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askPolicyAgent } from './policy-agent-question.ts';
import { PolicyGate } from './policy-gate.ts';

test('is closed until the policy agent is ready, and then open for good', async () => {
  const clock = createFakeClock();
  const log = createCapturedLogger();
  const stop = new AbortController();
  let asked = 0;
  let opened = 0;
  const answers = ['not there', 'not there', 'pods are not listed yet'];
  const ask = (): Promise<string | undefined> => Promise.resolve(answers[asked++]);
  const gate = new PolicyGate({ ask, clock, log, onOpen: () => opened++ });
  expect(gate.fault).toContain('not been asked');
  const running = gate.run(stop.signal);
  await waitFor('the first question', () => clock.sleeping === 1);
  expect(gate.fault).toBe('waiting for the policy agent: not there');
  await clock.advance(500);
  await waitFor('the next', () => clock.sleeping === 1);
  expect(gate.fault).toBe('waiting for the policy agent: pods are not listed yet');
  expect(opened).toBe(0);
  await clock.advance(250);
  await waitFor('it to open', () => opened === 1);
  expect(gate.fault).toBeUndefined();
  await clock.advance(60_000);
  expect(asked).toBe(4);
  // Each reason once.
  expect(log.records.map(({ message }) => message)).toEqual([
    'waiting for the policy agent',
    'waiting for the policy agent',
    'the policy agent is ready',
  ]);
  stop.abort();
  await running;
});

describe('the question', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'canal-gate-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  const counts = { endpoints: 0, isolated: 0, policies: 0, chains: 0, sets: 0, members: 0 };
  const status = { version: '1', node: 'a', ready: true, notes: [], strict: true, streams: [], counts };
  const line = (answer: object): string => `${JSON.stringify(answer)}\n`;
  const unready = { ...status, ready: false, notes: ['one', 'two'] };

  test.each<[string, string | undefined, string | undefined]>([
    ['ready', line({ ok: true, value: status }), undefined],
    ['ready with notes', line({ ok: true, value: { ...status, notes: ['x'] } }), undefined],
    ['not ready', line({ ok: true, value: unready }), 'one; two'],
    ['not ready and silent', line({ ok: true, value: { ...unready, notes: [] } }), 'does not say why'],
    ['refuses', line({ ok: false, code: 'internal', message: 'no' }), 'no'],
    ['another program', 'HTTP/1.1 400 Bad Request\n', 'answer: not JSON'],
    ['another version', line({ ok: true, value: {} }), 'answer.value.'],
    ['hangs up', undefined, 'closed the connection'],
    ['never ends its line', 'x'.repeat(300_000), 'too long'],
  ])('%s', async (name, answer, expected) => {
    const path = join(folder, name.replaceAll(' ', '-'));
    const listener = Bun.listen({
      unix: path,
      socket: {
        data(socket, bytes) {
          expect(bytes.toString()).toBe('{"op":"status"}\n');
          if (answer === undefined) socket.end();
          else socket.write(answer);
        },
        drain: (socket) => void socket.write(answer ?? ''),
      },
    });
    try {
      const reason = await askPolicyAgent(path);
      if (expected === undefined) expect(reason).toBeUndefined();
      else expect(reason).toContain(expected);
    } finally {
      listener.stop(true);
    }
  });

  test('nobody is there', async () => {
    expect(await askPolicyAgent(join(folder, 'none'))).toContain(`it does not answer on ${folder}/none`);
  });
});
