import { basename } from 'node:path';
import { type LabCallOptions, LabError, openLab, type Lab } from '@canal/lab';
import { type CommandContext } from '../command-context.ts';
import { createProgress, type Progress } from '../progress.ts';

/** Options that every command on a lab has. */
export interface LabFlags {
  readonly name: string;
  readonly stateRoot: string;
}

export interface OutputFlags {
  readonly output: 'text' | 'json';
}

/** Options for the library: this binary, and progress to the terminal. */
export function labOptions(context: CommandContext, flags: LabFlags, progress: Progress): LabCallOptions {
  return {
    binary: ownBinary(),
    stateRoot: flags.stateRoot,
    signal: context.signal,
    onProgress: (text) => progress.step(text),
  };
}

/** The file that runs: agents, plugin and API server are started from it. */
function ownBinary(): string {
  const path = process.execPath;
  if (basename(path) !== 'bun') return path;
  throw new LabError(
    'not-supported',
    'the lab starts its programs from the built binary, and this is a run from source',
    {
      hint: 'build it with "npm run build" and run dist/canal canalctl …',
    },
  );
}

/** Runs the work with a progress line that is taken away at the end, whatever the end is. */
export async function withProgress<T>(context: CommandContext, work: (progress: Progress) => Promise<T>): Promise<T> {
  const progress = createProgress(context.terminal);
  try {
    return await work(progress);
  } finally {
    progress.done();
  }
}

/** Runs the work on the lab that the flags name. */
export async function onOpenLab<T>(
  context: CommandContext,
  flags: LabFlags,
  work: (lab: Lab) => Promise<T>,
): Promise<T> {
  return await withProgress(context, (progress) => work(openLab(flags.name, labOptions(context, flags, progress))));
}
