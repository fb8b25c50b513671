/** Namespaces are shared by name with containers that mount /run/netns; processes are not. */
import { createNetns, netnsIdentity, removeNetns } from '@canal/linux-ffi';
import { expect, test } from 'vitest';
import { probePath, removeDeadProbes } from './namespaces.ts';

/** Says whether the probe of a dead process of its own PID namespace was left. */
const LOOK = `
  import { existsSync, writeFileSync } from 'node:fs';
  import { probePath, removeDeadProbes } from '${import.meta.resolve('./namespaces.ts')}';
  const dead = probePath().replace(/\\d+$/, '999999999');
  writeFileSync(dead, '');
  removeDeadProbes();
  console.log(existsSync(dead) ? 'left' : 'removed');
`;

test('the probe of a living process stays, whoever looks from a PID namespace that has no such process', async () => {
  const probe = probePath();
  createNetns(probe);
  try {
    const elsewhere = ['unshare', '--pid', '--fork', '--mount-proc', process.execPath, '-e', LOOK];
    const child = Bun.spawn(elsewhere, { stdio: ['ignore', 'pipe', 'inherit'] });
    expect(await new Response(child.stdout).text()).toBe('removed\n');
    expect(netnsIdentity(probe)).toBeDefined();
    removeDeadProbes();
    expect(netnsIdentity(probe)).toBeDefined();
  } finally {
    removeNetns(probe);
  }
});
