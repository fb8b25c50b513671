/** The lab needs the kernel alone: no ip, nft or ping is ever started. Judged by strace. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { shippedBinary, TEST_STATE_ROOT, testLabName } from './testing/test-lab.ts';

test.each([
  ['vxlan, routed', ['--ip-family', 'dual', '--direct-routing']],
  ['host-gw, bridge', ['--backend', 'host-gw', '--pod-mode', 'bridge']],
])('up, a pod more, and down start no program but the binary: %s', (_name, options) => {
  const directory = mkdtempSync(join(tmpdir(), 'canal-strace-'));
  const name = testLabName();
  const traced = (...command: string[]): string[] => {
    const file = join(directory, 'trace');
    const args = ['-f', '-qq', '-e', 'trace=execve', '-o', file];
    // Followed into the daemons, which outlive the command: -D lets strace be a grandchild that nobody waits for.
    const child = Bun.spawnSync(
      [
        'strace',
        '-D',
        ...args,
        shippedBinary(),
        'canalctl',
        'lab',
        ...command,
        '--name',
        name,
        '--state-root',
        TEST_STATE_ROOT,
      ],
      { stdout: 'ignore', stderr: 'ignore' },
    );
    expect({ command, exitCode: child.exitCode }).toEqual({ command, exitCode: 0 });
    const started = [...readFileSync(file, 'utf8').matchAll(/execve\("([^"]+)".*= 0$/gm)].map(
      (match) => match[1] ?? '',
    );
    return started;
  };
  const programs = [
    ...traced('up', '--nodes', '2', '--pods-per-node', '1', ...options),
    ...traced('pod', 'add', 'more'),
    ...traced('ping'),
    ...traced('down'),
  ];
  rmSync(directory, { recursive: true });
  // Two agents, the API server, STATUS and ADD of each node at least, beside the commands themselves.
  expect(programs.length).toBeGreaterThan(8);
  expect(programs.filter((path) => path !== shippedBinary() && !path.endsWith('/opt/cni/bin/canal'))).toEqual([]);
});
