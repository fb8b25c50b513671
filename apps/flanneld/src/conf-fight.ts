/**
 * Tells a repair from a fight: a file that others change now and then is put back at once, one that they change again
 * and again is put back at a slow pace. Else two programs would write one file as fast as the disk takes it.
 */

/** Repairs that are made at once; an operator who tries things out stays below. */
const BURST = 5;
/** One more repair for each. */
const REFILL_MS = 10_000;
/** A fight is over when nobody has changed the file for so long. */
const QUIET_MS = 60_000;

export class ConfFight {
  #repairs = BURST;
  #refilledMs: number;
  #changedMs = 0;
  #isOn = false;

  constructor(nowMs: number) {
    this.#refilledMs = nowMs;
  }

  /** Others have changed the file. */
  changed(nowMs: number): void {
    this.#changedMs = nowMs;
  }

  /** True when it may be answered now; that takes one of the repairs. */
  mayAnswer(nowMs: number): boolean {
    this.#repairs = Math.min(BURST, this.#repairs + (nowMs - this.#refilledMs) / REFILL_MS);
    this.#refilledMs = nowMs;
    if (this.#repairs < 1) {
      this.#isOn = true;
      return false;
    }
    this.#repairs -= 1;
    return true;
  }

  isOn(nowMs: number): boolean {
    if (nowMs - this.#changedMs >= QUIET_MS) this.#isOn = false;
    return this.#isOn;
  }
}
