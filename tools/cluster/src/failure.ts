/**
 * What a command of the cluster tool says when it cannot do its work: one text for people (what is wrong, what to do
 * next) and the exit status of the program. Codes: `usage` 2, `host` 3 (a program or right of the machine is missing),
 * `conflict` 4 (a cluster of another shape is up), `absent` 5 (no such cluster or node), `failed` 1 (all else).
 */
export type FailureCode = 'usage' | 'host' | 'conflict' | 'absent' | 'failed';

const EXIT_STATUS: Record<FailureCode, number> = { failed: 1, usage: 2, host: 3, conflict: 4, absent: 5 };

export class ClusterError extends Error {
  override readonly name = 'ClusterError';

  readonly code: FailureCode;

  constructor(code: FailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  get exitStatus(): number {
    return EXIT_STATUS[this.code];
  }
}
