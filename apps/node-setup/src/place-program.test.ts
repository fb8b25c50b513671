/** The process ends between any two steps on disk: what is in the place then works, and the next install ends well. */
import { linkSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { placeLoopback } from './place-loopback.ts';
import { type Placed, placeProgram } from './place-program.ts';
import { PROGRAM_FILES, type ProgramFiles } from './program-files.ts';

let directory: string;
let source: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'canal-place-'));
  source = join(directory, 'source');
  writeFileSync(source, 'works: new');
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

class Crash extends Error {}

/** After `steps` of them every step fails, those of clean-ups too: that is what a dead process does. */
function dyingAfter(steps: number): { readonly files: ProgramFiles; readonly died: () => boolean } {
  let left = steps;
  let died = false;
  const files = new Proxy(PROGRAM_FILES, {
    get(target, name: keyof ProgramFiles) {
      const call = target[name] as (...args: unknown[]) => unknown;
      return (...args: unknown[]): unknown => {
        if (left-- <= 0) {
          died = true;
          throw new Crash(name);
        }
        return call(...args);
      };
    },
  });
  return { files, died: () => died };
}

const bin = (): string => join(directory, 'bin');
const canal = (): string => readFileSync(join(bin(), 'canal'), 'utf8');

function prove(path: string): void {
  if (!readFileSync(path, 'utf8').startsWith('works')) throw new Error('does not work');
}

function place(files: ProgramFiles, proof: (path: string) => void = prove): Placed {
  return placeProgram({ directory: bin(), name: 'canal', source, files, prove: proof, announce: () => undefined });
}

const SETUPS: [string, () => void, string[]][] = [
  ['an old one', () => writeFileSync(join(bin(), 'canal'), 'works: old'), ['works: old', 'works: new']],
  [
    'an old one, and what a killed install left',
    () => {
      writeFileSync(join(bin(), 'canal'), 'works: old');
      writeFileSync(join(bin(), '.canal.new'), 'half');
      writeFileSync(join(bin(), '.canal.old'), 'works: older');
    },
    ['works: old', 'works: new'],
  ],
  [
    'one that does not work, and the one before it',
    () => {
      writeFileSync(join(bin(), 'canal'), 'broken');
      writeFileSync(join(bin(), '.canal.old'), 'works: older');
    },
    ['broken', 'works: older', 'works: new'],
  ],
  [
    'one that does not work and has its second name already',
    () => {
      writeFileSync(join(bin(), 'canal'), 'broken');
      linkSync(join(bin(), 'canal'), join(bin(), '.canal.old'));
    },
    ['broken', 'works: new'],
  ],
];

describe.each(SETUPS)('over %s', (_name, prepare, allowed) => {
  test('ended after any number of steps', () => {
    const seen = new Set<string>();
    for (let steps = 0; ; steps++) {
      rmSync(bin(), { recursive: true, force: true });
      Bun.spawnSync(['mkdir', bin()]);
      prepare();
      const { files, died } = dyingAfter(steps);
      try {
        place(files);
      } catch (error) {
        expect(error).toBeInstanceOf(Crash);
      }
      expect(allowed).toContain(canal());
      seen.add(canal());
      if (!died()) break;
      expect(place(PROGRAM_FILES).sha256).toBe(PROGRAM_FILES.hash(source));
      expect(canal()).toBe('works: new');
      expect(readdirSync(bin())).toEqual(['canal']);
    }
    expect(seen).toEqual(new Set(allowed));
  });
});

test('one that works under its first name and not in its place: the old one comes back', () => {
  Bun.spawnSync(['mkdir', bin()]);
  writeFileSync(join(bin(), 'canal'), 'works: old');
  const picky = (path: string): void => {
    if (path.endsWith('/canal')) throw new Error('not here');
  };
  expect(() => place(PROGRAM_FILES, picky)).toThrow('not here');
  expect(canal()).toBe('works: old');
  expect(readdirSync(bin())).toEqual(['canal']);
});

test('without hard links: the program is renamed all the same, loopback is a copy', () => {
  Bun.spawnSync(['mkdir', bin()]);
  writeFileSync(join(bin(), 'canal'), 'works: old');
  const files: ProgramFiles = {
    ...PROGRAM_FILES,
    link: () => {
      throw Object.assign(new Error('no links'), { code: 'EPERM' });
    },
  };
  const { sha256, outcome } = place(files);
  expect(outcome).toBe('replaced');
  const loopback = { directory: bin(), files, sha256, isOurs: () => true, announce: () => undefined };
  expect(placeLoopback(loopback)).toBe('installed');
  expect(placeLoopback(loopback)).toBe('unchanged');
  expect(readdirSync(bin()).sort()).toEqual(['canal', 'loopback']);
  expect(readFileSync(join(bin(), 'loopback'), 'utf8')).toBe('works: new');
});
