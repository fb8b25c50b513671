/**
 * The name of what counts the packets that a rule allows, or a chain denies. It names whom it counts for, not where: it
 * outlives rules and chains, and what it counted does, too. Several may count in one.
 */
export type CounterId = string;

export interface CounterReading {
  readonly id: CounterId;
  /** First packets of flows, and those after them until the flow is answered. */
  readonly packets: number;
  readonly bytes: number;
  /** When it began at 0, since the epoch. Absent where that is not kept. */
  readonly sinceMs?: number;
}
