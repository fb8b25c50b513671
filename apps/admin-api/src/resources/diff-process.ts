/**
 * Compares two states of a cluster in a process of its own: it may take seconds, in which this one goes on answering, it
 * can be ended when nobody waits any more, and the memory that it needs goes with it.
 */
import { deserialize } from 'node:v8';
import type { PolicyDiff } from '@canal/admin-schema';
import { ProblemError } from '../handler.ts';
import { boundedText } from './bounded-text.ts';
import { type DiffQuestion, type DiffReply, encodeQuestion } from './diff-messages.ts';

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

  /** Rejects with ProblemError when the objects cannot be applied. */
  async diff(question: DiffQuestion, signal: AbortSignal): Promise<PolicyDiff> {
    signal.throwIfAborted();
    const child = Bun.spawn([...this.#command], {
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'pipe',
      // Neither tokens nor settings are its business.
      env: {},
      signal,
      killSignal: 'SIGKILL',
    });
    const [output, errors, code] = await Promise.all([
      child.stdout.bytes(),
      child.stderr.text(),
      child.exited,
      // A child that ends before it has read all says why.
      tell(child.stdin, question, signal).catch(() => undefined),
    ]);
    signal.throwIfAborted();
    if (code !== 0) throw new Error(`the comparison ended with code ${code}: ${boundedText(errors, 1_000)}`);
    // Of the same program.
    const reply = deserialize(output) as DiffReply;
    if (reply.ok) return reply.diff;
    throw new ProblemError('invalid', reply.detail, { errors: reply.errors });
  }
}

async function tell(stdin: Bun.FileSink, question: DiffQuestion, signal: AbortSignal): Promise<void> {
  for (const bytes of encodeQuestion(question)) {
    if (signal.aborted) break;
    await Promise.all([stdin.write(bytes), stdin.flush()]);
    // Others have their turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
  await stdin.end();
}

/** How this program, compiled or from its sources, starts itself for `diffChild`. */
export function ownDiffCommand(): readonly string[] {
  const isCompiled = Bun.main.startsWith('/$bunfs/');
  return [process.execPath, ...(isCompiled ? [] : [Bun.main]), 'admin-api', DIFF_CHILD];
}

/** First argument of the admin API's program. */
export const DIFF_CHILD = 'diff-child';
