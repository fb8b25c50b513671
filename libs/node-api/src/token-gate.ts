/** Whether the bearer of a token may ask: each is reviewed by the API server, and the answer holds for some seconds. */
import { createHash } from 'node:crypto';
import type { Clock } from '@canal/runtime-port';

export interface TokenGateDeps {
  /** Whether the token is of who may ask. Rejects when that cannot be told. */
  readonly review: (token: string, signal: AbortSignal) => Promise<boolean>;
  readonly clock: Clock;
}

/** `address`: of who shows the token. */
export type Authenticate = (token: string, address: string) => Promise<boolean | 'unavailable'>;

/** A token that is taken away is refused this much later. */
const ANSWER_HOLDS_MS = 10_000;
const REVIEW_LIMIT_MS = 5_000;
const MAX_KNOWN = 256;
/** Of tokens that were not accepted before: who has none cannot make the API server busy, nor keep others waiting. */
const MAX_STRANGE_REVIEWS = 4;
/** Of these, from one address: who tries many does not keep others waiting. */
const MAX_STRANGE_OF_ONE = 2;
/** From one address, too: so many one after the other, and then one in so long. */
const STRANGE_BURST = 8;
const STRANGE_EVERY_MS = 1_000;

interface Known {
  readonly answer: Promise<boolean | 'unavailable'>;
  readonly untilMs: number;
}

/** What an address has tried with tokens that were not accepted before. */
interface Tries {
  reviews: number;
  /** Until when they count: each so long. */
  untilMs: number;
}

/** Fails closed. Holds hashes of tokens alone. */
export function createTokenGate({ review, clock }: TokenGateDeps): Authenticate {
  const known = new Map<string, Known>();
  /** Accepted when they were last reviewed, the latest last. */
  const accepted = new Set<string>();
  let strange = 0;
  const triesOf = new Map<string, Tries>();

  return async (token, address) => {
    const key = createHash('sha256').update(token).digest('base64');
    const found = known.get(key);
    if (found !== undefined && clock.nowMs() < found.untilMs) return await found.answer;
    const isStrange = !accepted.has(key);
    const tries = isStrange ? tryFrom(address) : undefined;
    if (isStrange && tries === undefined) return 'unavailable';
    const answer = ask(token).finally(() => {
      if (tries === undefined) return;
      strange--;
      tries.reviews--;
    });
    known.delete(key);
    known.set(key, { answer, untilMs: clock.nowMs() + ANSWER_HOLDS_MS });
    forgetOldest(known);
    const isAccepted = await answer;
    if (isAccepted === 'unavailable') {
      // Who could not be judged is judged anew when it asks again.
      if (known.get(key)?.answer === answer) known.delete(key);
      return isAccepted;
    }
    accepted.delete(key);
    if (isAccepted) accepted.add(key);
    forgetOldest(accepted);
    return isAccepted;
  };

  /** Undefined: not now. */
  function tryFrom(address: string): Tries | undefined {
    const nowMs = clock.nowMs();
    const tries = triesOf.get(address) ?? { reviews: 0, untilMs: nowMs };
    const untilMs = Math.max(nowMs, tries.untilMs) + STRANGE_EVERY_MS;
    const isTooOften = untilMs > nowMs + STRANGE_BURST * STRANGE_EVERY_MS;
    if (isTooOften || tries.reviews >= MAX_STRANGE_OF_ONE || strange >= MAX_STRANGE_REVIEWS) return undefined;
    strange++;
    tries.reviews++;
    tries.untilMs = untilMs;
    triesOf.delete(address);
    triesOf.set(address, tries);
    forgetOldest(triesOf);
    return tries;
  }

  async function ask(token: string): Promise<boolean | 'unavailable'> {
    const late = new AbortController();
    const done = new AbortController();
    const limit = clock.sleep(REVIEW_LIMIT_MS, done.signal).then(
      () => {
        late.abort(new Error('no review in time'));
        return 'unavailable' as const;
      },
      () => 'unavailable' as const,
    );
    try {
      return await Promise.race([review(token, late.signal), limit]);
    } catch {
      return 'unavailable';
    } finally {
      done.abort();
    }
  }
}

function forgetOldest(keys: Map<string, unknown> | Set<string>): void {
  for (const oldest of keys.keys()) {
    if (keys.size <= MAX_KNOWN) return;
    keys.delete(oldest);
  }
}
