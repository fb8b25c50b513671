import type * as z from 'zod/mini';

/** One wrong field of an input: where, what was read, what would have been right. */
export interface FieldError {
  /** Path with dots: `Backend.VNI`; empty for the whole input. */
  readonly field: string;
  readonly value: unknown;
  readonly expected: string;
}

const MAX_SHOWN = 120;

/** `Backend.VNI is 99999999: expected a number within 0..16777215`; the value is cut and made printable. */
export function formatFieldError(error: FieldError): string {
  const text = error.value === undefined ? 'missing' : `is ${printable(error.value)}`;
  return `${error.field === '' ? 'the input' : error.field} ${text}: expected ${error.expected}`;
}

function printable(value: unknown): string {
  const json = JSON.stringify(value);
  return json.length > MAX_SHOWN ? `${json.slice(0, MAX_SHOWN)}…` : json;
}

/** zod's issues over the input they were found in. The schemas here word every issue as what was expected. */
export function fieldErrors(error: z.core.$ZodError, input: unknown, prefix = ''): FieldError[] {
  return error.issues.map(({ path, message }) => ({
    field: [prefix, ...path.map(String)].filter((part) => part !== '').join('.'),
    value: valueAt(input, path),
    expected: message,
  }));
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) value = isRecord(value) && typeof key !== 'symbol' ? value[key] : undefined;
  return value;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
