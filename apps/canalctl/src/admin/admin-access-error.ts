/** The admin API could not be found or reached, with the next step. */
export class AdminAccessError extends Error {
  override readonly name = 'AdminAccessError';
  readonly hint: string;
  /** Whether it may be otherwise in a moment. */
  readonly isPassing: boolean;

  constructor(message: string, hint: string, options: ErrorOptions & { readonly isPassing?: boolean } = {}) {
    super(message, options);
    this.hint = hint;
    this.isPassing = options.isPassing ?? false;
  }
}
