/**
 * Idempotency-Key on POST: the answer of a key is kept for a day, and given again to the same request of the same user.
 * Bounded: the oldest answers go first, as after a restart; a key whose answer is gone is a new one.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '@canal/runtime-port';
import { ProblemError } from '../handler.ts';

export interface KeptAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export interface IdempotentRequest {
  readonly user: string;
  readonly key: string;
  readonly method: string;
  /** With its query. */
  readonly url: string;
  readonly body: Uint8Array;
}

interface Kept {
  readonly fingerprint: string;
  readonly until: number;
  /** Undefined: on its way. */
  answer?: KeptAnswer;
  readonly settled: Promise<undefined>;
}

const DAY_MS = 24 * 3600 * 1000;
const MAX_KEYS = 1000;
const MAX_BYTES = 8 << 20;

export class IdempotencyKeys {
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `work` is done once for a key, however often it is asked at a time. Throws `idempotency-mismatch`. */
  async once(request: IdempotentRequest, work: () => Promise<KeptAnswer>): Promise<KeptAnswer> {
    const id = hash(request.user, request.key);
    const fingerprint = hash(request.method, request.url, request.body);
    for (;;) {
      const kept = this.#live(id);
      if (kept === undefined) return await this.#first(id, fingerprint, work);
      if (kept.fingerprint !== fingerprint) {
        throw new ProblemError(
          'idempotency-mismatch',
          'this Idempotency-Key was used for another request: make a new one',
        );
      }
      if (kept.answer !== undefined) return kept.answer;
      // Where the first fails, the key is free again, and one of those that wait is the next first.
      await kept.settled;
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#kept.size;
  }

  async #first(id: string, fingerprint: string, work: () => Promise<KeptAnswer>): Promise<KeptAnswer> {
    const { promise: settled, resolve: settle } = Promise.withResolvers<undefined>();
    const kept: Kept = { fingerprint, until: this.#clock.nowMs() + DAY_MS, settled };
    this.#kept.set(id, kept);
    try {
      const answer = await work();
      // A failure of ours, or of what we ask, may be over with the next try.
      if (answer.status >= 500 || answer.text.length > MAX_BYTES / 4) this.#forget(id);
      else if (this.#kept.get(id) === kept) {
        kept.answer = answer;
        this.#bytes += sizeOf(answer);
      }
      return answer;
    } catch (error) {
      this.#forget(id);
      throw error;
    } finally {
      settle(undefined);
      this.#shrink();
    }
  }

  #live(id: string): Kept | undefined {
    const kept = this.#kept.get(id);
    if (kept === undefined || kept.until > this.#clock.nowMs()) return kept;
    this.#forget(id);
    return undefined;
  }

  #shrink(): void {
    for (const [id, { answer, until }] of this.#kept) {
      const isOver = until <= this.#clock.nowMs();
      if (!isOver && this.#kept.size <= MAX_KEYS && this.#bytes <= MAX_BYTES) break;
      if (answer !== undefined || isOver) this.#forget(id);
    }
  }

  #forget(id: string): void {
    const answer = this.#kept.get(id)?.answer;
    if (answer !== undefined) this.#bytes -= sizeOf(answer);
    this.#kept.delete(id);
  }
}

/** Keys are the client's to choose, within what a header line holds. */
export function isIdempotencyKey(text: string): boolean {
  return /^[\x21-\x7e]{1,128}$/.test(text);
}

function sizeOf({ text, headers }: KeptAnswer): number {
  return text.length + JSON.stringify(headers).length;
}

/** Each part with its length before it, so that no two lists of parts give the same bytes. */
function hash(...parts: readonly (string | Uint8Array)[]): string {
  const made = createHash('sha256');
  for (const part of parts) made.update(`${part.length}:`).update(part);
  return made.digest('base64');
}
