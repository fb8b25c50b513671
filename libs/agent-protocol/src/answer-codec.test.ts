import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeAnswer, encodeAnswer, readAgentStatus, readEndpointAdded } from './answer-codec.ts';
import type { AgentStatusMessage } from './answers.ts';

const STATUS: AgentStatusMessage = {
  version: '0.1.0',
  node: 'n1',
  ready: false,
  notes: ['pods are not listed yet'],
  strict: true,
  streams: [{ kind: 'pods', inSync: false, connected: false, objects: 0, error: 'refused' }],
  lastSync: '2026-01-01T00:00:00.000Z',
  counts: { endpoints: 1, isolated: 1, policies: 0, chains: 2, sets: 3, members: 4 },
};

describe('answers', () => {
  test('what is encoded is one line and decodes to the same', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const line = encodeAnswer({ ok: true, value });
        expect(line.indexOf('\n')).toBe(line.length - 1);
        const decoded = decodeAnswer(line);
        expect(JSON.stringify(decoded)).toBe(JSON.stringify({ ok: true, value: { ok: true, value } }));
      }),
    );
    const failed = { ok: false, code: 'not-ready', message: 'a\nb' } as const;
    expect(decodeAnswer(encodeAnswer(failed))).toEqual({ ok: true, value: failed });
  });

  test('a code of a newer agent is kept in the words', () => {
    expect(decodeAnswer('{"ok":false,"code":"busy","message":"later"}')).toEqual({
      ok: true,
      value: { ok: false, code: 'internal', message: 'busy: later' },
    });
  });

  test.each<[string, string, string]>([
    ['no JSON', 'HTTP/1.1 400', 'answer: not JSON'],
    ['no object', '[]', 'answer: expected a JSON object'],
    ['no verdict', '{}', 'answer.ok: nothing: expected true or false'],
    ['a failure without words', '{"ok":false,"code":"kernel"}', 'answer.message: nothing: expected'],
  ])('%s', (_what, line, message) => {
    expect(decodeAnswer(line)).toEqual({ ok: false, error: expect.stringContaining(message) as string });
  });

  test('add-endpoint', () => {
    expect(readEndpointAdded({ state: 'policed' })).toEqual({ ok: true, value: { state: 'policed' } });
    const isolated = { state: 'isolated', reason: 'the pod is not known' };
    expect(readEndpointAdded(isolated)).toEqual({ ok: true, value: isolated });
    expect(readEndpointAdded({ state: 'open' })).toEqual({
      ok: false,
      error: 'answer.value.state: "open": expected "policed" or "isolated"',
    });
    expect(readEndpointAdded(undefined).ok).toBe(false);
  });

  test('status', () => {
    expect(readAgentStatus(JSON.parse(JSON.stringify(STATUS)))).toEqual({ ok: true, value: STATUS });
    const { lastSync, ...first } = STATUS;
    expect(lastSync).toBeDefined();
    expect(readAgentStatus(first)).toEqual({ ok: true, value: first });
  });

  test.each<[object, string]>([
    [{ ready: 'yes' }, 'answer.value.ready: "yes": expected true or false'],
    [{ counts: undefined }, 'answer.value.counts: nothing: expected a JSON object'],
    [{ counts: { ...STATUS.counts, sets: -1 } }, 'answer.value.counts.sets: -1: expected'],
    [{ streams: [{ kind: 'pods' }] }, 'answer.value.streams[0].inSync: nothing: expected true or false'],
    [{ notes: [7] }, 'answer.value.notes[0]: expected a string, found 7'],
  ])('status with %j', (change, message) => {
    expect(readAgentStatus({ ...STATUS, ...change })).toEqual({
      ok: false,
      error: expect.stringContaining(message) as string,
    });
  });
});
