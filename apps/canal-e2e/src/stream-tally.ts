/** What became of the numbered packets of one stream. Numbers start at 0 and rise by one with each packet. */

export interface Loss {
  /** Milliseconds since the epoch at which the first packet of the run was sent. */
  readonly atMs: number;
  /** From the first lost packet to the next one that arrived, by the time of sending. */
  readonly durationMs: number;
  readonly packets: number;
}

export interface TallyReport {
  readonly sent: number;
  readonly received: number;
  /** Sent and never received, those that the sender's kernel refused among them. */
  readonly lost: number;
  readonly duplicated: number;
  /** Arrived after a packet of a higher number. */
  readonly reordered: number;
  /** Sends that the sender's own kernel refused, by errno's name. */
  readonly refused: Readonly<Record<string, number>>;
  /** Longest runs of lost packets, longest first; at most ten. */
  readonly losses: readonly Loss[];
  /** 0 when nothing was lost. */
  readonly longestLossMs: number;
}

const LOSSES_KEPT = 10;

export class StreamTally {
  /** Time of sending by number. */
  readonly #sentAtMs: number[] = [];
  readonly #arrivals: number[] = [];
  readonly #refused = new Map<string, number>();
  #highest = -1;
  #reordered = 0;

  /** Number of the next packet. */
  get next(): number {
    return this.#sentAtMs.length;
  }

  sent(atMs: number, refusal?: string): void {
    this.#sentAtMs.push(atMs);
    this.#arrivals.push(0);
    if (refusal !== undefined) this.#refused.set(refusal, (this.#refused.get(refusal) ?? 0) + 1);
  }

  received(sequence: number): void {
    const before = this.#arrivals[sequence];
    if (before === undefined) throw new RangeError(`packet ${sequence} arrived, ${this.next} were sent`);
    this.#arrivals[sequence] = before + 1;
    if (sequence < this.#highest) this.#reordered++;
    this.#highest = Math.max(this.#highest, sequence);
  }

  report(): TallyReport {
    const received = this.#arrivals.filter((count) => count > 0).length;
    const losses = this.#losses().toSorted((a, b) => b.durationMs - a.durationMs);
    return {
      sent: this.next,
      received,
      lost: this.next - received,
      duplicated: this.#arrivals.reduce((sum, count) => sum + Math.max(0, count - 1), 0),
      reordered: this.#reordered,
      refused: Object.fromEntries(this.#refused),
      losses: losses.slice(0, LOSSES_KEPT),
      longestLossMs: losses[0]?.durationMs ?? 0,
    };
  }

  #losses(): Loss[] {
    const losses: Loss[] = [];
    for (let first = 0; first < this.next; first++) {
      if (this.#arrivals[first] !== 0) continue;
      let end = first;
      while (this.#arrivals[end] === 0) end++;
      const atMs = this.#sentAtMs[first] ?? 0;
      const untilMs = this.#sentAtMs[end] ?? this.#sentAtMs.at(-1) ?? atMs;
      losses.push({ atMs, durationMs: untilMs - atMs, packets: end - first });
      first = end;
    }
    return losses;
  }
}
