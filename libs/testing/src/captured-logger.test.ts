import { expect, test } from 'vitest';
import { createCapturedLogger } from './captured-logger.ts';

test('lines of children carry the fields of their parents', () => {
  const log = createCapturedLogger();
  log.info({ a: 1 }, 'one');
  log.child({ node: 'n1' }).child({ peer: 'n2' }).warn({ b: 2 }, 'two');
  expect(log.records).toEqual([
    { level: 'info', message: 'one', fields: { a: 1 } },
    { level: 'warn', message: 'two', fields: { node: 'n1', peer: 'n2', b: 2 } },
  ]);
  expect(log.messages('warn')).toEqual(['two']);
});
