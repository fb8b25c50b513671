/** What every operation's input is at run time. */
export interface UntypedInput {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly ifMatch?: string;
  readonly idempotencyKey?: string;
}

export function asUntyped(input: unknown): UntypedInput {
  return input ?? {};
}
