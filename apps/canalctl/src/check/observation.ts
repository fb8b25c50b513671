/** What the check of a node found, one line a thing. */
export type Verdict = 'ok' | 'warn' | 'fail';

export interface Observation {
  /** Stable, for programs: `port-8472-udp`. */
  readonly id: string;
  readonly what: string;
  readonly found: string;
  readonly verdict: Verdict;
  /** Why that is not well, and what to do; absent when it is. */
  readonly cause?: string;
  readonly next?: string;
}

export function ok(id: string, what: string, found: string): Observation {
  return { id, what, found, verdict: 'ok' };
}

export function trouble(
  verdict: Exclude<Verdict, 'ok'>,
  thing: Pick<Observation, 'id' | 'what' | 'found'>,
  cause: string,
  next: string,
): Observation {
  return { ...thing, verdict, cause, next };
}
