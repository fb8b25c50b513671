/**
 * What the API promises, as agents of other versions may tell it: fields that are not known are passed over, what is too
 * long is cut.
 */
import * as z from 'zod';
import { boundedText } from './bounded-text.ts';

const MAX_CHARS = 1_024;
const MAX_ITEMS = 1_000;

/** Of schemas made of objects, lists, optional fields, and single values. */
export function lenient<T>(schema: z.ZodType<T>): z.ZodType<T> {
  return loosened(schema) as z.ZodType<T>;
}

function loosened(schema: z.core.$ZodType): z.ZodType {
  if (schema instanceof z.ZodObject) {
    const fields = Object.entries<z.core.$ZodType>(schema.shape);
    return z.object(Object.fromEntries(fields.map(([name, field]) => [name, loosened(field)])));
  }
  if (schema instanceof z.ZodArray)
    return z.array(loosened(schema.element)).transform((all) => all.slice(0, MAX_ITEMS));
  if (schema instanceof z.ZodOptional) return loosened(schema.unwrap()).optional();
  // Those with a form of their own are refused when they have another.
  if (schema instanceof z.ZodString && (schema.def.checks ?? []).length === 0) {
    return z.string().transform((text) => boundedText(text, MAX_CHARS));
  }
  return schema as z.ZodType;
}
