import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createProgram } from '../program.ts';

test('down --all ends the others when one cannot be ended, and fails with what is wrong with that', async () => {
  const stateRoot = mkdtempSync(join(tmpdir(), 'canalctl-down-'));
  // Namespaces are found by the lab's name: it is nobody else's.
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((letter) => `down-${process.pid}-${letter}`) as [
    string,
    string,
    string,
    string,
  ];
  try {
    for (const name of [a, b, c, d]) mkdirSync(join(stateRoot, name), { mode: 0o700 });
    for (const name of [a, c]) chmodSync(join(stateRoot, name), 0o777);
    const text = { out: '', err: '' };
    const terminal = {
      live: false,
      out: (part: string) => void (text.out += part),
      err: (part: string) => void (text.err += part),
    };
    const context = { terminal, signal: new AbortController().signal, outcome: { exitCode: 0 } };
    const run = createProgram(context).parseAsync(['lab', 'down', '--all', '--state-root', stateRoot], {
      from: 'user',
    });
    await expect(run).rejects.toMatchObject({
      code: 'exists',
      message: expect.stringContaining(`/${a} is there`) as string,
    });
    expect(text.out).toMatch(new RegExp(`^lab ${b} removed: .*\\nlab ${d} removed: .*\\n$`));
    expect(text.err).toContain(`/${c} is there`);
    expect(readdirSync(stateRoot).sort()).toEqual([a, c]);
  } finally {
    rmSync(stateRoot, { recursive: true });
  }
});
