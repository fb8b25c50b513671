/** Whatever moment a command is killed at: "down" leaves nothing behind, and the next "up" is not disturbed. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { createLab, listLabs, openLab, removeLab } from './lab.ts';
import { LabError } from './lab-error.ts';
import { probePath } from './namespaces.ts';
import { describeLosses, pingMatrix } from './ping-matrix.ts';
import { takeInventory } from './testing/inventory.ts';
import { shippedBinary, TEST_STATE_ROOT, testLabName, testOptions } from './testing/test-lab.ts';
import { waitFor } from './wait.ts';

/** Far enough apart to meet each step of an `up` of about 700 ms, on a slower machine too. */
const KILL_AFTER_MS = [5, 30, 60, 90, 120, 160, 200, 250, 300, 350, 400, 450, 500, 550, 600, 700];

let name = testLabName();

afterEach(async () => {
  await removeLab(name, { stateRoot: TEST_STATE_ROOT }).catch(notFoundIsFine);
  name = testLabName();
});

function notFoundIsFine(error: unknown): void {
  if (!(error instanceof LabError && error.code === 'not-found')) throw error;
}

function startUp(): Bun.Subprocess<'ignore', 'ignore', 'pipe'> {
  return Bun.spawn([shippedBinary(), 'canalctl', 'lab', 'up', '--name', name, '--state-root', TEST_STATE_ROOT], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

/** The phases that the kills have met, so that the test can say that it met them. */
const phases = new Set<string>();

describe('a killed "up"', () => {
  test.each(KILL_AFTER_MS)('after %i ms: "down" leaves nothing', async (delayMs) => {
    const before = takeInventory(name, TEST_STATE_ROOT);
    const up = startUp();
    await sleep(delayMs);
    up.kill('SIGKILL');
    await up.exited;
    phases.add(listLabs(TEST_STATE_ROOT)[0]?.phase ?? 'nothing');
    await removeLab(name, { stateRoot: TEST_STATE_ROOT }).catch(notFoundIsFine);
    expect(takeInventory(name, TEST_STATE_ROOT)).toEqual(before);
  });

  test('before it made more than the directory of all labs: "down" removes that, too', async () => {
    const before = takeInventory(name, TEST_STATE_ROOT);
    mkdirSync(TEST_STATE_ROOT, { recursive: true });
    await removeLab(name, { stateRoot: TEST_STATE_ROOT }).catch(notFoundIsFine);
    expect(takeInventory(name, TEST_STATE_ROOT)).toEqual(before);
  });

  test('the kills met a lab in the making', () => {
    expect([...phases]).toContain('building');
  });

  test('the next "up" removes the remains and succeeds', async () => {
    const up = startUp();
    for await (const chunk of up.stderr) if (new TextDecoder().decode(chunk).includes('waiting for the agents')) break;
    up.kill('SIGKILL');
    await up.exited;
    expect(listLabs(TEST_STATE_ROOT)).toMatchObject([{ name, phase: 'building' }]);
    const lab = await createLab({ name, podsPerNode: 1 }, testOptions());
    expect(lab.created).toBe(true);
    expect(describeLosses(await pingMatrix(lab.pods()))).toEqual([]);
  });
});

/** As `up` names it, see probePath. */
function probeName(pid: number): string {
  return basename(probePath()).replace(/\d+$/, String(pid));
}

test('what an "up" that was killed had tried the machine with goes with the next "down"; that of a living one stays', async () => {
  const ended = Bun.spawn(['true']);
  await ended.exited;
  const probes = { dead: probeName(ended.pid), living: probeName(process.ppid) };
  const namespaces = (): readonly string[] => readdirSync('/run/netns');
  // Another lab of another test may take the dead one away as soon as it is there.
  for (const probe of Object.values(probes)) expect(Bun.spawnSync(['ip', 'netns', 'add', probe]).exitCode).toBe(0);
  try {
    await removeLab(name, { stateRoot: TEST_STATE_ROOT }).catch(notFoundIsFine);
    expect(namespaces()).not.toContain(probes.dead);
    expect(namespaces()).toContain(probes.living);
  } finally {
    Bun.spawnSync(['ip', 'netns', 'del', probes.living]);
  }
});

test('an interrupted "up" (SIGINT) removes what it has made by itself', async () => {
  const before = takeInventory(name, TEST_STATE_ROOT);
  const up = startUp();
  for await (const chunk of up.stderr) if (new TextDecoder().decode(chunk).includes('starting the agents')) break;
  up.kill('SIGINT');
  expect(await up.exited).toBe(1);
  expect(takeInventory(name, TEST_STATE_ROOT)).toEqual(before);
});

test.each(['16k', '128k'])('on a disk of %s: it says that there is no space, and leaves nothing', async (size) => {
  const before = takeInventory(name, TEST_STATE_ROOT);
  const disk = mkdtempSync(join(tmpdir(), 'canal-small-disk-'));
  expect(Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', disk]).exitCode).toBe(0);
  try {
    const up = createLab({ name, nodes: 1, podsPerNode: 0 }, { ...testOptions(), stateRoot: join(disk, 'labs') });
    await expect(up).rejects.toMatchObject({
      code: 'failed',
      message: expect.stringContaining('no space') as string,
    });
    expect(readdirSync(disk)).toEqual([]);
  } finally {
    // A process that was ended lets go of its files a moment after its program.
    const isFree = (): boolean => Bun.spawnSync(['umount', disk]).exitCode === 0;
    await waitFor('the disk to be free', { timeoutMs: 10_000 }, () => isFree() || undefined);
    rmSync(disk, { recursive: true });
  }
  expect(takeInventory(name, TEST_STATE_ROOT)).toEqual(before);
});

test('a "down" that was killed can be repeated', async () => {
  const before = takeInventory(name, TEST_STATE_ROOT);
  for (const delayMs of [10, 20, 30, 40, 60]) {
    await createLab({ name, nodes: 2, podsPerNode: 1 }, testOptions());
    const down = Bun.spawn(
      [shippedBinary(), 'canalctl', 'lab', 'down', '--name', name, '--state-root', TEST_STATE_ROOT],
      {
        stdio: ['ignore', 'ignore', 'ignore'],
      },
    );
    await sleep(delayMs);
    down.kill('SIGKILL');
    await down.exited;
    await removeLab(name, { stateRoot: TEST_STATE_ROOT }).catch(notFoundIsFine);
    expect(takeInventory(name, TEST_STATE_ROOT)).toEqual(before);
  }
});

test('a lab of before a reboot is known as such and removed by "up"', async () => {
  const lab = await createLab({ name, nodes: 1, podsPerNode: 0 }, testOptions());
  const { writeLabState, readLabState } = await import('./lab-state.ts');
  const { labPaths } = await import('./lab-paths.ts');
  const paths = labPaths(TEST_STATE_ROOT, name);
  const state = readLabState(paths);
  if (state === undefined) throw new Error('no state');
  writeLabState(paths, { ...state, bootId: '00000000-0000-0000-0000-000000000000' });
  expect((await createLab({ name, nodes: 1, podsPerNode: 0 }, testOptions())).created).toBe(true);
  expect(openLab(name, testOptions()).nodes()).toEqual(lab.nodes());
});

test('a lab of the same name whose files are elsewhere is left alone', async () => {
  const lab = await createLab({ name, nodes: 1, podsPerNode: 2 }, testOptions());
  const elsewhere = mkdtempSync(join(tmpdir(), 'canal-elsewhere-'));
  try {
    const other = createLab({ name, nodes: 1, podsPerNode: 2 }, { ...testOptions(), stateRoot: elsewhere });
    await expect(other).rejects.toMatchObject({
      code: 'exists',
      message: expect.stringContaining('elsewhere') as string,
    });
    expect(describeLosses(await pingMatrix(lab.pods()))).toEqual([]);
    expect((await lab.status()).healthy).toBe(true);
    expect(existsSync(join(elsewhere, name))).toBe(false);
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
});

test('a process that is not the lab’s is named and left alone', async () => {
  const lab = await createLab({ name, nodes: 1, podsPerNode: 1 }, testOptions());
  const { inNamespace } = await import('./namespaces.ts');
  const guest = inNamespace(lab.namespaceOf({ node: 'node1' }), () => Bun.spawn(['sleep', '60']));
  const report = await lab.down();
  expect(report.occupants).toMatchObject([{ pid: guest.pid, command: 'sleep' }]);
  expect(guest.exitCode).toBeNull();
  guest.kill();
  await guest.exited;
});
