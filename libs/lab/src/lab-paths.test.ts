import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeLab } from './lab.ts';
import { lockLab } from './lab-lock.ts';
import { labPaths } from './lab-paths.ts';
import { checkOwnDirectory } from './own-directory.ts';

let top: string;
let stateRoot: string;

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'canal-lab-paths-'));
  stateRoot = join(top, 'labs');
  mkdirSync(stateRoot, { mode: 0o700 });
});
afterEach(() => {
  rmSync(top, { recursive: true });
});

test.each(['', '.', '..', '../other', '/', 'a/b', 'A', 'a'.repeat(21), 'a\n'])(
  '%j is no name of a lab: nothing is removed by it',
  async (name) => {
    mkdirSync(join(top, 'other'));
    writeFileSync(join(top, 'other', 'precious'), '');
    const refused = { code: 'invalid', message: `${JSON.stringify(name)} is no name of a lab` };
    expect(() => labPaths(stateRoot, name)).toThrow(expect.objectContaining(refused));
    await expect(removeLab(name, { stateRoot })).rejects.toMatchObject(refused);
    expect(readdirSync(top).sort()).toEqual(['labs', 'other']);
    expect(readdirSync(join(top, 'other'))).toEqual(['precious']);
  },
);

test('a lab whose directory leads elsewhere, or that others can change, is not touched', async () => {
  const paths = labPaths(stateRoot, 'blue');
  checkOwnDirectory(paths);
  const refused = { code: 'exists', message: expect.stringContaining(paths.root) as string };
  mkdirSync(join(top, 'other'));
  writeFileSync(join(top, 'other', 'precious'), '');
  symlinkSync(join(top, 'other'), paths.root);
  await expect(removeLab('blue', { stateRoot })).rejects.toMatchObject(refused);
  expect(readdirSync(join(top, 'other'))).toEqual(['precious']);
  rmSync(paths.root);
  mkdirSync(paths.root);
  chmodSync(paths.root, 0o777);
  await expect(lockLab(paths)).rejects.toMatchObject(refused);
  expect(readdirSync(paths.root)).toEqual([]);
  chmodSync(paths.root, 0o1777);
  checkOwnDirectory(paths);
});
