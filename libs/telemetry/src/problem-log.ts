/** What is wrong, told when it begins and when it ends; what lasts is told once. */
import type { Gauge, Logger } from '@canal/runtime-port';

/** Where what operators shall see with kubectl is told: an event sink of store-kube, in the agents. */
export interface ProblemEvents {
  emit(event: { readonly type: 'Warning'; readonly reason: string; readonly message: string }): void;
}

export interface Complaint {
  /** Stable over turns: the same key is the same complaint, whatever figures its text has. */
  readonly key: string;
  readonly severity: 'error' | 'warning';
  /** Reason of a Kubernetes Event, when operators shall see it with kubectl. */
  readonly event?: string;
  readonly message: string;
}

export class ProblemLog {
  readonly #log: Logger;
  readonly #events: ProblemEvents;
  readonly #count: Gauge | undefined;
  readonly #open = new Map<string, Complaint>();

  /** `count`: of those that are open, by severity. */
  constructor(log: Logger, events: ProblemEvents, count?: Gauge) {
    this.#log = log;
    this.#events = events;
    this.#count = count;
    this.#countOpen();
  }

  /** All complaints of one source as they are now; those that are missing have ended. */
  update(source: string, complaints: readonly Complaint[]): void {
    const now = new Map(complaints.map((complaint) => [`${source} ${complaint.key}`, complaint]));
    for (const [key, complaint] of now) {
      if (!this.#open.has(key)) this.#begin(complaint);
      this.#open.set(key, complaint);
    }
    for (const [key, complaint] of this.#open) {
      if (!key.startsWith(`${source} `) || now.has(key)) continue;
      this.#open.delete(key);
      this.#log.info({ problem: complaint.message }, 'problem ended');
    }
    this.#countOpen();
  }

  open(): readonly Complaint[] {
    return [...this.#open.values()];
  }

  #countOpen(): void {
    for (const severity of ['error', 'warning'] as const) {
      const open = [...this.#open.values()].filter((complaint) => complaint.severity === severity);
      this.#count?.set(open.length, { severity });
    }
  }

  #begin({ severity, message, event }: Complaint): void {
    if (severity === 'error') this.#log.error({ problem: message }, 'problem');
    else this.#log.warn({ problem: message }, 'problem');
    if (event !== undefined) this.#events.emit({ type: 'Warning', reason: event, message });
  }
}
