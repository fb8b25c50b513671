/** Schemas used by several inputs. Each names what it expects, so that an issue's message completes "expected …". */
import type { ParseError, Result } from 'net-types';
import * as z from 'zod/mini';

/** A text read by one of the strict parsers of net-types. */
export function parsedText<T>(parse: (text: string) => Result<T, ParseError>, expected: string): z.ZodMiniType<T> {
  return z.pipe(
    z.string(expected),
    z.transform((text: string, context) => {
      const result = parse(text);
      if (result.ok) return result.value;
      context.issues.push({ code: 'custom', message: result.error.expected, input: text });
      return z.NEVER;
    }),
  );
}

export function wholeNumber(min: number, max: number): z.ZodMiniType<number> {
  const expected = `a number within ${min}..${max}`;
  return z
    .number(expected)
    .check(z.refine((value) => Number.isInteger(value) && value >= min && value <= max, expected));
}

export function trueOrFalse(): z.ZodMiniType<boolean> {
  return z.boolean('true or false');
}

/** Absent and null (some servers send it) are the fallback. */
export function orElse<T>(schema: z.ZodMiniType<T>, fallback: T): z.ZodMiniType<T> {
  return z.pipe(
    z.nullish(schema),
    z.transform((value: T | null | undefined) => value ?? fallback),
  );
}
