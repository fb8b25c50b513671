import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { createLab, type Lab } from '../lab.ts';
import { type LabOptions } from '../lab-context.ts';
import { type LabSpec } from '../lab-spec.ts';

/** The binary that ships: the lab's programs are started from it, so a test of the lab is a test of it. */
export function shippedBinary(): string {
  const path = process.env['CANAL_BINARY'] ?? resolve(import.meta.dirname, '../../../../dist/canal');
  if (!existsSync(path)) throw new Error(`${path} is missing: build it with "npm run build"`);
  return path;
}

/** Files of this test run's labs, apart from those of a person's labs on the same machine. */
export const TEST_STATE_ROOT = `/run/canal-lab-test-${process.pid}`;

let count = 0;

/** A name that no other run has. */
export function testLabName(): string {
  return `t${process.pid}-${++count}`;
}

export function testOptions(): LabOptions {
  return { binary: shippedBinary(), stateRoot: TEST_STATE_ROOT };
}

/** A new lab; the test takes it down. */
export async function createTestLab(wanted: Partial<LabSpec>): Promise<Lab> {
  return await createLab({ name: testLabName(), ...wanted }, testOptions());
}
