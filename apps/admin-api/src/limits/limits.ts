/** How much one client, and all together, may ask: beyond it 429 with Retry-After. */
import type { Clock } from '@canal/runtime-port';
import { cidrOf, formatCidr, ipFamily, parseIp } from 'net-types';
import { ProblemError } from '../handler.ts';
import { type Rate, TokenBucket } from './token-bucket.ts';

export interface LimitOptions {
  /** Requests of one user. */
  readonly client: Rate;
  /** Requests of all. */
  readonly total: Rate;
  /** Of one address: what comes without a token that anybody knows. Each costs a question to Kubernetes. */
  readonly anonymous: Rate;
  /** The same of all addresses: who has many keeps out others that are not known yet, and nobody else. */
  readonly strangers: Rate;
  /** Requests under way at a time. */
  readonly maxInFlight: number;
  /** Of them, those with a body: each may hold 1 MiB. */
  readonly maxBodies: number;
  readonly maxStreams: number;
  readonly maxStreamsPerClient: number;
}

export const DEFAULT_LIMITS: LimitOptions = {
  client: { perSecond: 200, burst: 400 },
  total: { perSecond: 1000, burst: 2000 },
  anonymous: { perSecond: 5, burst: 50 },
  strangers: { perSecond: 100, burst: 400 },
  maxInFlight: 256,
  maxBodies: 16,
  maxStreams: 100,
  maxStreamsPerClient: 50,
};

/** Buckets that are kept; one that is forgotten starts full. */
const MAX_BUCKETS = 4096;

export type Release = () => void;

export class Limits {
  readonly #clock: Clock;
  readonly #options: LimitOptions;
  readonly #total: TokenBucket;
  readonly #strangers: TokenBucket;
  readonly #clients = new Map<string, TokenBucket>();
  readonly #anonymous = new Map<string, TokenBucket>();
  readonly #streams = new Map<string, number>();
  #inFlight = 0;
  #bodies = 0;

  constructor(clock: Clock, options: LimitOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#total = new TokenBucket(options.total, clock.nowMs());
    this.#strangers = new TokenBucket(options.strangers, clock.nowMs());
  }

  /**
   * A request that needs no token, has none, or one that is still to be looked up: it counts as a wrong one until the
   * release says that it is good. Throws `too-many-requests`.
   */
  admitAnonymous(address: string): Release {
    const now = this.#clock.nowMs();
    const own = bucketOf(this.#anonymous, sourceOf(address), this.#options.anonymous, now);
    takeOf(own, now, 'too many requests without a known token');
    takeOf(this.#strangers, now, 'too many requests without a known token from everywhere');
    return once(() => {
      own.giveBack();
      this.#strangers.giveBack();
    });
  }

  /** Of somebody who is known: nobody else can use up what all of them may ask together. Throws `too-many-requests`. */
  admitClient(user: string): void {
    const now = this.#clock.nowMs();
    takeOf(bucketOf(this.#clients, user, this.#options.client, now), now, 'you ask too often');
    takeOf(this.#total, now, 'all clients together ask too often');
  }

  /** For as long as a request is worked on. */
  enter(hasBody: boolean): Release {
    const { maxInFlight, maxBodies } = this.#options;
    if (this.#inFlight >= maxInFlight) throw tooMany(`${maxInFlight} requests are under way`, 1);
    if (hasBody && this.#bodies >= maxBodies) throw tooMany(`${maxBodies} requests with a body are under way`, 1);
    this.#inFlight += 1;
    if (hasBody) this.#bodies += 1;
    return once(() => {
      this.#inFlight -= 1;
      if (hasBody) this.#bodies -= 1;
    });
  }

  openStream(user: string): Release {
    const { maxStreams, maxStreamsPerClient } = this.#options;
    const own = this.#streams.get(user) ?? 0;
    if (own >= maxStreamsPerClient) throw tooMany(`you have ${own} streams open: close one`, STREAM_RETRY_SECONDS);
    if (this.streams >= maxStreams) throw tooMany(`${maxStreams} streams are open`, STREAM_RETRY_SECONDS);
    this.#streams.set(user, own + 1);
    return once(() => {
      const left = (this.#streams.get(user) ?? 1) - 1;
      if (left === 0) this.#streams.delete(user);
      else this.#streams.set(user, left);
    });
  }

  get streams(): number {
    return [...this.#streams.values()].reduce((sum, count) => sum + count, 0);
  }

  get inFlight(): number {
    return this.#inFlight;
  }
}

const STREAM_RETRY_SECONDS = 10;

/** Of IPv6 the network: whoever has one address of it has them all (RFC 4291 §2.5.1). */
function sourceOf(address: string): string {
  const ip = parseIp(address.replace(/^::ffff:(?=\d+\.)/i, ''));
  return ip.ok && ipFamily(ip.value) === 6 ? formatCidr(cidrOf(ip.value, 64)) : address;
}

function bucketOf(buckets: Map<string, TokenBucket>, key: string, rate: Rate, nowMs: number): TokenBucket {
  const bucket = buckets.get(key) ?? new TokenBucket(rate, nowMs);
  // Those not used for long are in front, and go first.
  buckets.delete(key);
  buckets.set(key, bucket);
  for (const oldest of buckets.keys()) {
    if (buckets.size <= MAX_BUCKETS) break;
    buckets.delete(oldest);
  }
  return bucket;
}

function takeOf(bucket: TokenBucket, nowMs: number, why: string): void {
  const taken = bucket.take(nowMs);
  if (!taken.ok) throw tooMany(why, taken.retryAfterSeconds);
}

function tooMany(why: string, retryAfterSeconds: number): ProblemError {
  return new ProblemError('too-many-requests', `${why}; ask again in ${retryAfterSeconds} s`, { retryAfterSeconds });
}

function once(work: () => void): Release {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    work();
  };
}
