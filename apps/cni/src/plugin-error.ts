import { type CniFailure, failure } from '@canal/cni-spec';

/** Ends a verb with an answer for the runtime. Everything else that is thrown counts as internal (code 999). */
export class PluginError extends Error {
  override readonly name = 'PluginError';
  readonly failure: CniFailure;

  constructor(code: number, message: string, options: { readonly details?: string; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.failure = failure(code, message, options.details);
  }
}
