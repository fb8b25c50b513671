/**
 * Compares two states of a cluster in a process of its own: it may take seconds, in which this one goes on answering, it
 * can be ended when nobody waits any more, and the memory that it needs goes with it.
 */
import { deserialize, serialize } from 'node:v8';
import type { PolicyDiff } from '@canal/admin-schema';
import type { ClusterState } from '@canal/policy-diff';
import { ProblemError } from '../handler.ts';
import { boundedText } from './bounded-text.ts';

export type DiffAnswer = Omit<PolicyDiff, 'problems'>;

/** What the other process reads from its stdin, serialized as node:v8 does. */
export interface DiffInput {
  readonly before: ClusterState;
  readonly after: ClusterState;
}

/** More are refused: each holds a list of all pods. */
const MAX_WAITING = 4;

export class DiffProcess {
  readonly #command: readonly string[];
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** `command` runs `diffChild`. */
  constructor(command: readonly string[]) {
    this.#command = command;
  }

  /** One after the other. Rejects with ProblemError when too many wait. */
  async inTurn<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= MAX_WAITING) {
      const detail = `${this.#waiting} comparisons are asked for already`;
      throw new ProblemError('too-many-requests', detail, { retryAfterSeconds: 5 });
    }
    this.#waiting++;
    const turn = this.#last.then(async () => {
      signal.throwIfAborted();
      return await work();
    });
    this.#last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }

  async diff(before: ClusterState, after: ClusterState, signal: AbortSignal): Promise<DiffAnswer> {
    signal.throwIfAborted();
    const input: DiffInput = { before, after };
    const child = Bun.spawn([...this.#command], {
      stdin: serialize(input),
      stdout: 'pipe',
      stderr: 'pipe',
      // Neither tokens nor settings are its business.
      env: {},
      signal,
      killSignal: 'SIGKILL',
    });
    const [output, errors, code] = await Promise.all([child.stdout.bytes(), child.stderr.text(), child.exited]);
    signal.throwIfAborted();
    if (code !== 0) throw new Error(`the comparison ended with code ${code}: ${boundedText(errors, 1_000)}`);
    // Of the same program.
    return deserialize(output) as DiffAnswer;
  }
}

/** How this program, compiled or from its sources, starts itself for `diffChild`. */
export function ownDiffCommand(): readonly string[] {
  const isCompiled = Bun.main.startsWith('/$bunfs/');
  return [process.execPath, ...(isCompiled ? [] : [Bun.main]), 'admin-api', DIFF_CHILD];
}

/** First argument of the admin API's program. */
export const DIFF_CHILD = 'diff-child';
