/** Expected failures are values: parsers and compilers return a Result, broken invariants throw. */
export type Result<T, E> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };

export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function err<E>(error: E): { readonly ok: false; readonly error: E } {
  return { ok: false, error };
}

/** The value, or a throw of what `error` describes: for constants and tests, never for outside input. */
export function unwrap<T>(result: Result<T, ParseError>): T {
  if (result.ok) return result.value;
  throw new TypeError(describeParseError(result.error));
}

/** What was read, what was expected; the caller adds the field it stood in. */
export interface ParseError {
  readonly input: string;
  readonly expected: string;
}

/** `"10.0.0" is not an IPv4 address in dotted decimal` style text; the input is cut and made printable. */
export function describeParseError(error: ParseError): string {
  return `${printable(error.input)}: expected ${error.expected}`;
}

const MAX_SHOWN = 80;

function printable(input: string): string {
  const cut = input.length > MAX_SHOWN ? `${input.slice(0, MAX_SHOWN)}…` : input;
  return JSON.stringify(cut);
}
