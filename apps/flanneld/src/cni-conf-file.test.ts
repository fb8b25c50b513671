import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFakeClock } from '@canal/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CniConfFile } from './cni-conf-file.ts';

const CANAL = '{"cniVersion": "1.0.0", "name": "canal", "plugins": [{"type": "canal"}]}\n';
const BRIDGE = '{"cniVersion": "1.0.0", "name": "canal", "plugins": [{"type": "canal", "mode": "bridge"}]}\n';
const CALICO = '{"cniVersion": "0.3.1", "name": "k8s", "plugins": [{"type": "calico"}, {"type": "portmap"}]}\n';
const NAME = '10-canal.conflist';

let root: string;
let directory: string;
let template: string;
let file: CniConfFile;
let clock: ReturnType<typeof createFakeClock>;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'canal-cni-conf-'));
  directory = join(root, 'net.d');
  template = join(root, 'cni-conf.json');
  mkdirSync(directory);
  writeFileSync(template, CANAL);
  clock = createFakeClock();
  file = start();
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

/** An agent that starts: it knows what is on the disk. */
const start = (): CniConfFile =>
  new CniConfFile({ template, directory, name: NAME, stateDir: join(root, 'state') }, clock);

const read = (name = NAME): string => readFileSync(join(directory, name), 'utf8');

test('written for root alone, as the template has it, and nothing beside it', () => {
  expect(file.ensure()).toEqual({ outcome: 'written', complaints: [], appended: [] });
  expect(read()).toBe(CANAL);
  expect(statSync(join(directory, NAME)).mode & 0o777).toBe(0o600);
  expect(readdirSync(directory)).toEqual([NAME]);
  expect(file.ensure().outcome).toBe('same');
});

test('put back when it was deleted or changed; a new template is no repair', () => {
  file.ensure();
  unlinkSync(join(directory, NAME));
  expect(file.ensure().outcome).toBe('repaired');
  writeFileSync(join(directory, NAME), BRIDGE);
  expect(file.ensure().outcome).toBe('repaired');
  expect(read()).toBe(CANAL);
  writeFileSync(template, BRIDGE);
  expect(file.ensure().outcome).toBe('written');
  expect(read()).toBe(BRIDGE);
});

test('a template that is wrong changes nothing and says which field', () => {
  file.ensure();
  writeFileSync(template, '{"cniVersion": "1.0.0", "name": "canal", "plugins": [{"type": "cannal"}]}');
  const report = file.ensure();
  expect(report).toMatchObject({ outcome: 'same', complaints: [{ event: 'InvalidCNIConfig', severity: 'error' }] });
  expect(report.complaints[0]?.message).toContain('plugins: none has the type "canal"');
  expect(report.complaints[0]?.message).toContain('the former one is in force');
  expect(report.fault).toBeUndefined();
  expect(read()).toBe(CANAL);
  unlinkSync(join(directory, NAME));
  expect(file.ensure().outcome).toBe('repaired');
});

test.each([
  ['wrong', () => writeFileSync(template, '{}'), 'cniVersion'],
  ['missing', () => unlinkSync(template), 'ENOENT'],
])('from the start, a template that is %s: no file, and a fault', (_title, spoil, named) => {
  spoil();
  expect(file.ensure()).toMatchObject({ outcome: 'not-written', fault: expect.stringContaining(named) as string });
  expect(readdirSync(directory)).toEqual([]);
});

test('another CNI’s file of the same name stays as it is, until it is taken away', () => {
  writeFileSync(join(directory, NAME), CALICO);
  const report = file.ensure();
  expect(report).toMatchObject({ outcome: 'not-written', complaints: [{ event: 'CNIConfigConflict' }] });
  expect(report.fault).toContain('another CNI (calico, portmap)');
  expect(read()).toBe(CALICO);
  unlinkSync(join(directory, NAME));
  expect(file.ensure()).toEqual({ outcome: 'written', complaints: [], appended: [] });
});

test('a file that comes before is told and stays', () => {
  writeFileSync(join(directory, '05-calico.conflist'), CALICO);
  writeFileSync(join(directory, '99-calico.conflist'), CALICO);
  const report = file.ensure();
  expect(report).toMatchObject({
    outcome: 'written',
    complaints: [{ event: 'CNIConfigConflict', severity: 'warning' }],
  });
  expect(report.complaints).toHaveLength(1);
  expect(report.complaints[0]?.message).toContain('05-calico.conflist (calico, portmap) comes before');
  expect(report.fault).toBeUndefined();
  expect([read('05-calico.conflist'), read('99-calico.conflist')]).toEqual([CALICO, CALICO]);
});

test('what a service mesh appends stays', () => {
  file.ensure();
  const meshed = CANAL.replace('{"type": "canal"}', '{"type": "canal"}, {"type": "linkerd-cni"}');
  writeFileSync(join(directory, NAME), meshed);
  expect(file.ensure()).toEqual({ outcome: 'same', complaints: [], appended: ['linkerd-cni'] });
  expect(read()).toBe(meshed);
});

test('a plugin that the template lost while no agent ran goes', () => {
  writeFileSync(template, CANAL.replace('{"type": "canal"}', '{"type": "canal"}, {"type": "portmap"}'));
  file.ensure();
  writeFileSync(template, CANAL);
  expect(start().ensure()).toMatchObject({ outcome: 'written', appended: [] });
  expect(read()).toBe(CANAL);
});

test('what a killed writer left goes, and no runtime would have read it', () => {
  writeFileSync(join(directory, `.canal-tmp-7-${NAME}.tmp`), '{');
  file.ensure();
  expect(readdirSync(directory)).toEqual([NAME]);
});

test('an earlier file that no runtime can read is told; a directory of such a name is passed over', () => {
  writeFileSync(join(directory, '00-broken.conflist'), '{"plugins": [');
  mkdirSync(join(directory, '05-old.conf'));
  const report = file.ensure();
  expect(report).toMatchObject({ outcome: 'written', complaints: [{ event: 'CNIConfigConflict' }] });
  expect(report.complaints).toHaveLength(1);
  expect(report.complaints[0]?.message).toContain('00-broken.conflist (not readable');
});

const FIGHT = [{ event: 'CNIConfigFight', severity: 'error' }];

test('somebody writes another mode 20 times a second: it is told once and for all, and answered at a slow pace', async () => {
  file.ensure();
  let written = 0;
  const told = new Set<string>();
  for (let i = 0; i < 2_400; i++) {
    await clock.advance(50);
    writeFileSync(join(directory, NAME), BRIDGE);
    const { outcome, fault, complaints } = file.ensure();
    if (outcome === 'repaired') written += 1;
    if (i >= 10) expect({ fault, complaints }).toMatchObject({ fault: complaints[0]?.message, complaints: FIGHT });
    for (const { message } of complaints) told.add(message);
  }
  expect(written).toBeGreaterThan(5);
  expect(written).toBeLessThanOrEqual(5 + 12);
  expect(told.size).toBe(1);
  expect(file.isFought()).toBe(true);
  // It has gone: the file is as wanted with the next repair that is free, and the fight is over a minute later.
  await clock.advance(10_000);
  expect(file.ensure().outcome).toBe('repaired');
  expect(read()).toBe(CANAL);
  await clock.advance(60_000);
  expect(file.ensure()).toEqual({ outcome: 'same', complaints: [], appended: [] });
  expect(file.isFought()).toBe(false);
});

test('a file that is another CNI’s and ours in turn is a fight too, and that CNI’s stays', async () => {
  file.ensure();
  const told: string[] = [];
  for (let i = 0; i < 400; i++) {
    await clock.advance(50);
    const text = i % 2 === 0 ? CALICO : CANAL;
    writeFileSync(join(directory, NAME), text);
    const key = file
      .ensure()
      .complaints.map(({ event }) => event)
      .join();
    if (key !== told.at(-1)) told.push(key);
    expect(read()).toBe(text);
  }
  expect(told.length).toBeLessThanOrEqual(7);
  expect(told.at(-1)).toBe('CNIConfigFight');
});

test('a template that is edited again and again is no fight', async () => {
  for (let i = 0; i < 50; i++) {
    await clock.advance(50);
    writeFileSync(template, i % 2 === 0 ? BRIDGE : CANAL);
    expect(file.ensure()).toEqual({ outcome: 'written', complaints: [], appended: [] });
  }
});
