import { statfsSync } from 'node:fs';
import { LabError } from './lab-error.ts';

/** With less the API server's database takes no object. */
const NEEDED_BYTES = 256 * 1024;

/** The error itself, or that the lab's disk is full: a program that ended for it could not say so in its log either. */
export function orFullDisk(error: unknown, directory: string): unknown {
  const { bavail, bsize, files, ffree } = statfsSync(directory);
  if (bavail * bsize >= NEEDED_BYTES && (files === 0 || ffree > 0)) return error;
  return new LabError('failed', `no space is left for a lab in ${directory}`, {
    hint: 'free space on that disk',
    cause: error,
  });
}
