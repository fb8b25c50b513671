/** One piece of work for all who ask the same at one time, and for a moment after it is done. */
import type { Clock } from '@canal/runtime-port';
import { untilAborted } from './until-aborted.ts';

/** Longest that an answer is given again. */
const MAX_AGE_MS = 1_000;

export class SharedAnswers<T> {
  readonly #clock: Clock;
  readonly #answers = new Map<string, Promise<T>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `work` ends by itself; a reader whose signal aborts leaves it to the others. What fails is tried again at once. */
  async get(key: string, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    return await untilAborted(this.join(key, work), signal);
  }

  /** As get, for who waits to the end. */
  join(key: string, work: () => Promise<T>): Promise<T> {
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const answer = work();
    this.#answers.set(key, answer);
    this.#forgetLater(key, answer);
    return answer;
  }

  #forgetLater(key: string, answer: Promise<T>): void {
    const forget = (): void => {
      this.#answers.delete(key);
    };
    answer.then(() => this.#clock.sleep(MAX_AGE_MS)).then(forget, forget);
  }
}
