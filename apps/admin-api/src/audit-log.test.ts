import { createCapturedLogger } from '@canal/testing';
import { expect, test } from 'vitest';
import { AuditLog } from './audit-log.ts';

const record = (requestId: string, changes: string[] = []) => ({
  time: '2026-11-21T10:00:00.000Z',
  requestId,
  user: 'ann',
  operation: 'putNetConf',
  object: 'o'.repeat(1000),
  dryRun: false,
  status: 200,
  changes,
});

test('the last thousand are kept, newest first; all are in the log', () => {
  const log = createCapturedLogger();
  const audit = new AuditLog(log);
  expect(audit.list()).toEqual([]);
  for (let index = 1; index <= 1234; index++) audit.add(record(String(index)));
  const ids = audit.list().map(({ requestId }) => Number(requestId));
  expect([ids.length, ids[0], ids.at(-1)]).toEqual([1000, 1234, 235]);
  expect(ids).toEqual(ids.toSorted((a, b) => b - a));
  expect(log.messages('info')).toHaveLength(1234);
});

test('one record is bounded', () => {
  const audit = new AuditLog(createCapturedLogger());
  audit.add(
    record(
      '1',
      Array.from({ length: 1000 }, () => 'x'.repeat(10_000)),
    ),
  );
  const [kept] = audit.list();
  expect(kept?.changes).toHaveLength(201);
  expect(kept?.changes.at(-1)).toBe('and 800 more lines');
  expect(JSON.stringify(kept).length).toBeLessThan(110_000);
});
