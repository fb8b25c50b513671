/**
 * What zod has made of a part of a request. Handlers are given nothing else: where fastify were led to pass validation
 * by, the value would not be one of these, and the request would end as a fault.
 */
import { fieldErrors } from '@canal/admin-schema';
import type * as z from 'zod';
import { ProblemError } from '../handler.ts';

type Part = 'body' | 'query' | 'path';

class Parsed {
  readonly value: unknown;

  constructor(value: unknown) {
    this.value = value;
  }
}

/** As parsers of fastify give it: what was read, and the bytes it was read from. */
export class JsonBody {
  readonly value: unknown;
  readonly bytes: Uint8Array;

  constructor(value: unknown, bytes: Uint8Array) {
    this.value = value;
    this.bytes = bytes;
  }
}

/** A schema in the shape that fastify passes to its validator compiler. */
export class PartSchema {
  readonly part: Part;
  readonly schema: z.ZodType;

  constructor(part: Part, schema: z.ZodType) {
    this.part = part;
    this.schema = schema;
  }
}

/** For fastify's `setValidatorCompiler`. */
export function compileValidator({
  part,
  schema,
}: PartSchema): (input: unknown) => { readonly value: Parsed } | { readonly error: Error } {
  return (given) => {
    const input = given instanceof JsonBody ? given.value : given;
    const result = schema.safeParse(input);
    if (result.success) return { value: new Parsed(result.data) };
    const errors = fieldErrors(part, result.error, input);
    const first = errors[0];
    const where = first === undefined ? '' : `: ${first.pointer === '' ? 'the body' : first.pointer}: ${first.detail}`;
    return { error: new ProblemError('invalid', `the ${part} is not as it must be${where}`, { errors }) };
  };
}

export function valueOf(given: unknown): unknown {
  if (given instanceof Parsed) return given.value;
  throw new Error('a part of the request has come past its validation');
}
