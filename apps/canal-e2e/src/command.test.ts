import { expect, test } from 'vitest';
import { runCommand } from './command.ts';

test('a command gets its input and gives status and outputs', async () => {
  const command = ['sh', '-c', 'cat; echo no >&2; exit 3'];
  expect(await runCommand(command, { stdin: 'yes', allowFailure: true })).toEqual({
    ...{ status: 3, stdout: 'yes', stderr: 'no\n' },
  });
});

test('a failure names the command, the status and what was said', async () => {
  await expect(runCommand(['sh', '-c', 'echo why >&2; exit 4'])).rejects.toThrow(/exit status 4: why$/);
});

test('a command that is not done in time is ended, and that is an error even where failure is allowed', async () => {
  const waiting = runCommand(['sleep', '60'], { timeoutMs: 100, allowFailure: true });
  await expect(waiting).rejects.toThrow('sleep 60: not done within 0.1 s');
});

test('a signal counts as a shell counts it', async () => {
  const { status } = await runCommand(['sh', '-c', 'kill -9 $$'], { allowFailure: true });
  expect(status).toBe(137);
});

test('a program that is missing is an error', async () => {
  await expect(runCommand(['/no/such/program'], { allowFailure: true })).rejects.toThrow('/no/such/program');
});
