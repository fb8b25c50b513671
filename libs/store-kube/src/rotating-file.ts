import { readFile } from 'node:fs/promises';

import type { Clock } from '@canal/runtime-port';

import { KubeConfigError } from './connection-error.ts';

/**
 * A small file whose content is replaced while we run (tokens, certificates). It is read again when what was read is
 * older than `maxAgeMs`, or after `invalidate`. When it cannot be read any more, what was read last stays in use:
 * rotation by hand leaves short gaps, and the server judges the credential anyway.
 */
export class RotatingFile {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #maxAgeMs: number;
  #content: string | undefined;
  #readAtMs = 0;

  constructor(path: string, clock: Clock, maxAgeMs: number = DEFAULT_MAX_AGE_MS) {
    this.#path = path;
    this.#clock = clock;
    this.#maxAgeMs = maxAgeMs;
  }

  /** The content without surrounding blanks. */
  async read(): Promise<string> {
    const fresh = this.#content !== undefined && this.#clock.nowMs() - this.#readAtMs < this.#maxAgeMs;
    if (fresh && this.#content !== undefined) return this.#content;
    try {
      const text = (await readFile(this.#path, 'utf8')).trim();
      if (text === '') throw new KubeConfigError('unreadable', `${this.#path} is empty`);
      this.#content = text;
    } catch (error) {
      if (this.#content === undefined) throw asConfigError(this.#path, error);
    }
    this.#readAtMs = this.#clock.nowMs();
    return this.#content;
  }

  invalidate(): void {
    this.#readAtMs = Number.NEGATIVE_INFINITY;
  }
}

function asConfigError(path: string, error: unknown): KubeConfigError {
  if (error instanceof KubeConfigError) return error;
  return new KubeConfigError('unreadable', `${path} cannot be read: ${systemCode(error)}`, error);
}

function systemCode(error: unknown): string {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'string' ? code : String(error);
}

/** Kubelets replace tokens at 80 % of their life, an hour as a rule: this is soon enough, and no load. */
const DEFAULT_MAX_AGE_MS = 10_000;
