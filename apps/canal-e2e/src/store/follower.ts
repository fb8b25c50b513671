import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** What the following process knows, and what it took so far. */
export interface FollowerReport {
  readonly puts: number;
  readonly deletes: number;
  readonly inSync: number;
  /** Writes whose event never came, beyond those that a list made up for. */
  readonly missed: number;
  /** Events that were older than one before. */
  readonly backwards: number;
  readonly disconnects: number;
  readonly connected: boolean;
  readonly lastError: string;
  readonly objects: number;
  /** Of keys and sequence numbers, see `digestOf`. */
  readonly digest: string;
  readonly cpuMs: number;
  readonly rssMb: number;
  readonly peakRssMb: number;
}

export interface FollowerOptions {
  readonly kind: 'nodes' | 'configmaps';
  readonly labelSelector?: string;
  /** Where its service account is mounted. */
  readonly directory: string;
  /** Of the API server, or of a proxy in front of it. */
  readonly port: number;
}

/** A process that follows all objects of one kind, see follower.fixture.ts. */
export class Follower {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  constructor({ kind, labelSelector = '', directory, port }: FollowerOptions) {
    const script = join(import.meta.dirname, 'follower.fixture.ts');
    this.#child = spawn(process.execPath, [script, kind, labelSelector, directory, String(port)]);
    this.#child.stderr.pipe(process.stderr);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async report(): Promise<FollowerReport> {
    this.#child.stdin.write('\n');
    const line = await this.#lines.next();
    if (line.done === true) throw new Error('the following process ended');
    return JSON.parse(line.value) as FollowerReport;
  }

  /** Asks until the report is as wanted; gives it, and how long that took. */
  async until(wanted: (report: FollowerReport) => boolean, timeoutMs: number): Promise<FollowerReport> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const report = await this.report();
      if (wanted(report)) return report;
      if (Date.now() > deadline) throw new Error(`after ${String(timeoutMs)} ms still ${JSON.stringify(report)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}
