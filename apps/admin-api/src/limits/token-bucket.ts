/** A token bucket (RFC 2697's, one colour): so many a second on average, so many at once. */
export class TokenBucket {
  #tokens: number;
  #at: number;
  readonly #perSecond: number;
  readonly #burst: number;

  constructor(rate: Rate, nowMs: number) {
    this.#perSecond = rate.perSecond;
    this.#burst = rate.burst;
    this.#tokens = rate.burst;
    this.#at = nowMs;
  }

  /** Takes one; when there is none, gives the seconds until there is, rounded up. */
  take(nowMs: number): { readonly ok: true } | { readonly ok: false; readonly retryAfterSeconds: number } {
    this.#fill(nowMs);
    if (this.#tokens < 1) return { ok: false, retryAfterSeconds: this.#secondsToNext() };
    this.#tokens -= 1;
    return { ok: true };
  }

  giveBack(): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + 1);
  }

  #secondsToNext(): number {
    return Math.max(1, Math.ceil((1 - this.#tokens) / this.#perSecond));
  }

  #fill(nowMs: number): void {
    const added = (Math.max(0, nowMs - this.#at) / 1000) * this.#perSecond;
    this.#tokens = Math.min(this.#burst, this.#tokens + added);
    this.#at = Math.max(this.#at, nowMs);
  }
}

export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}
