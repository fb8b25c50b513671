import { StoreError } from '@canal/store-port';
import { createCapturedLogger, createFakeClock } from '@canal/testing';
import { expect, test } from 'vitest';
import { publishAuthority } from './publish-authority.ts';

const WHERE = { namespace: 'canal-system', name: 'canal-admin-api-authority' };

function start(answers: readonly (Error | undefined)[]) {
  const clock = createFakeClock();
  const log = createCapturedLogger();
  const patches: unknown[] = [];
  const stop = new AbortController();
  const store = {
    mergePatch: (type: object, name: string, patch: object, options: object | undefined) => {
      patches.push({ type, name, patch, options });
      const answer = answers[patches.length - 1];
      return answer === undefined ? Promise.resolve({ metadata: { name } }) : Promise.reject(answer);
    },
  };
  const done = publishAuthority({ store, clock, log }, WHERE, 'PEM', stop.signal);
  return { clock, records: log.records, patches, stop, done };
}

test('writes its one key, and again each minute', async () => {
  const { clock, patches, records, stop, done } = start([]);
  await clock.advance(0);
  expect(patches).toEqual([
    {
      type: expect.objectContaining({ plural: 'configmaps' }) as object,
      name: WHERE.name,
      patch: { data: { 'ca.crt': 'PEM' } },
      options: { namespace: WHERE.namespace },
    },
  ]);
  await clock.advance(59_999);
  expect(patches).toHaveLength(1);
  await clock.advance(1);
  expect(patches).toHaveLength(2);
  expect(records).toEqual([]);
  stop.abort();
  await done;
});

test('tries again when it is refused, and says so once', async () => {
  const absent = new StoreError('not-found', 'there is no ConfigMap');
  const { clock, patches, records, stop, done } = start([absent, absent]);
  await clock.advance(0);
  await clock.advance(2_000);
  await clock.advance(2_000);
  expect(patches).toHaveLength(3);
  expect(records.map(({ level, fields }) => [level, fields['problem']])).toEqual([
    ['error', 'there is no ConfigMap'],
    ['info', undefined],
  ]);
  stop.abort();
  await done;
});
