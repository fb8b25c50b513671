/** Programs of the machine that the build uses. */
import { spawnSync } from 'node:child_process';
import { ImageError } from './image-error.ts';

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Where the program comes from, for the error when it is missing. */
  readonly from?: string;
}

/** Runs a program and gives its standard output. Throws ImageError with what it said when it fails or is missing. */
export function command(program: string, args: readonly string[], options: CommandOptions = {}): string {
  const result = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    env: { ...process.env, ...options.env },
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  });
  if (result.error !== undefined) {
    const from = options.from === undefined ? '' : ` (${options.from})`;
    throw new ImageError(`the image needs ${program}${from}: ${result.error.message}`);
  }
  if (result.status !== 0) {
    const said = `${result.stderr}${result.stdout}`.trim().split('\n').slice(-10).join('\n');
    throw new ImageError(`${program} ${args.join(' ')} ended with ${String(result.status ?? result.signal)}:\n${said}`);
  }
  return result.stdout;
}
