import { join } from 'node:path';
import { expect, test } from 'vitest';

test.each([
  [['--all', '--rootfs', 'dist/never.tar'], '--all builds every variant'],
  [['--all', '--cpu', 'baseline'], '--all builds every variant'],
  [['--output', 'xml'], '--output xml: there is text and json'],
  [['--bogus'], "Unknown option '--bogus'"],
])('%j is refused before anything is built', (args, message) => {
  const run = Bun.spawnSync([process.execPath, join(import.meta.dirname, 'main.ts'), ...args]);
  expect(run.exitCode).toBe(1);
  expect(run.stderr.toString()).toContain(`canal: ${message}`);
  expect(run.stdout.toString()).toBe('');
});
