import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { environHolds, parseProcStat } from './proc-stat.ts';

test('reads pid, state and start time behind a name with blanks and parentheses', () => {
  // cat /proc/PID/stat of a program named ":) x (".
  const text =
    '4711 (:) x () S 1 4711 4711 0 -1 4194560 120 0 0 0 1 2 0 0 20 0 1 0 987654 8192 300 18446744073709551615 1 1 0\n';
  expect(parseProcStat(text)).toEqual({ pid: 4711, state: 'S', startTicks: 987654, residentPages: 300 });
});

test('reads what the kernel writes', () => {
  const stat = parseProcStat(readFileSync('/proc/self/stat', 'utf8'));
  expect(stat?.pid).toBe(process.pid);
  expect(stat?.startTicks).toBeGreaterThan(0);
});

test.each(['', '12', '12 (x)', 'x (y) S'])('a text that is none: %j', (text) => {
  expect(parseProcStat(text)).toBeUndefined();
});

test('a setting is found whole, never inside another one', () => {
  const environ = 'PATH=/bin\0CANAL_LAB_ID=abc\0X=CANAL_LAB_ID=def\0';
  expect(environHolds(environ, 'CANAL_LAB_ID', 'abc')).toBe(true);
  expect(environHolds(environ, 'CANAL_LAB_ID', 'ab')).toBe(false);
  expect(environHolds(environ, 'CANAL_LAB_ID', 'def')).toBe(false);
  expect(environHolds(environ, 'LAB_ID', 'abc')).toBe(false);
});
