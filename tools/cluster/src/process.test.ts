import { expect, test } from 'vitest';

import { attempt, endProcesses, identify, startDaemon } from './process.ts';

test('a program ends at its time limit, also while one that it has started keeps its output open', async () => {
  const start = Date.now();
  const { status, stderr } = await attempt('/bin/sh', ['-c', 'sleep 5; true'], { timeout: 200 });
  expect(Date.now() - start).toBeLessThan(3000);
  expect([status, stderr]).toEqual([137, 'ended after 200 ms\n']);
});

test('a program that a signal ends has the status that a shell gives it', async () => {
  expect((await attempt('/bin/sh', ['-c', 'kill -HUP $$'])).status).toBe(129);
  expect((await attempt('/bin/sh', ['-c', 'exit 7'])).status).toBe(7);
});

test('a process that does not end in time is named', async () => {
  // A stopped one outlives SIGTERM, and a limit of less than nothing is over before SIGKILL.
  const { pid } = startDaemon({ argv: ['sleep', '60'], env: { PATH: '/bin:/usr/bin' }, log: '/dev/null', cgroups: [] });
  process.kill(pid, 'SIGSTOP');
  await expect(endProcesses(identify([pid]), 0, -1)).rejects.toThrow(`processes ${pid} (`);
  await endProcesses(identify([pid]), 0);
  expect(identify([pid])).toEqual([]);
});
