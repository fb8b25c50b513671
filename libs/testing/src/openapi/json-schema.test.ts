import { describe, expect, test } from 'vitest';
import { type JsonObject, schemaErrors } from './json-schema.ts';
import { mutated, sampleOf, textsOf } from './schema-values.ts';
import { seeded } from './seeded.ts';

const COMPONENTS = {
  Name: { type: 'string', minLength: 1, maxLength: 3, pattern: '^[a-z🦊]+$' },
  Tree: {
    type: 'object',
    properties: {
      name: { $ref: '#/components/schemas/Name' },
      inner: { type: 'array', items: { $ref: '#/components/schemas/Tree' } },
    },
    required: ['name'],
    additionalProperties: false,
  },
};

describe('a value is judged by its schema', () => {
  test.each<[string, JsonObject, unknown, readonly string[]]>([
    ['a type', { type: 'integer' }, 1.5, [' is 1.5: expected integer']],
    ['one of two types', { type: ['string', 'null'] }, null, []],
    ['nothing where something must be', { type: 'string' }, undefined, [' is absent: expected string']],
    ['an enumeration', { enum: ['a', 'b'] }, 'c', [' is "c": expected one of ["a","b"]']],
    ['bounds of numbers', { minimum: 1, exclusiveMinimum: 0, maximum: 3 }, 4, [' is 4: expected at most 3']],
    ['more than its bound', { exclusiveMinimum: 0 }, 0, [' is 0: expected more than 0']],
    ['lengths of lists', { maxItems: 1 }, [1, 2], [' has 2 items: expected at most 1']],
    ['characters, not units of UTF-16', { maxLength: 1 }, '🦊', []],
    ['a component, inside out', { $ref: '#/components/schemas/Tree' }, { name: 'a', inner: [{ name: 'b' }] }, []],
    [
      'where it is wrong',
      { $ref: '#/components/schemas/Tree' },
      { name: 'a', inner: [{ name: 'B', more: 1 }, {}] },
      ['/inner/0/name is "B": expected ^[a-z🦊]+$', '/inner/0: there must be no more', '/inner/1: there is no name'],
    ],
    ['names of a map', { propertyNames: { maxLength: 1 } }, { ab: 1 }, [' name has 2 characters: expected at most 1']],
    ['values of a map', { additionalProperties: { type: 'null' } }, { a: 1 }, ['/a is 1: expected null']],
    ['an inherited field is none', { type: 'object', required: ['toString'] }, {}, [': there is no toString']],
    [
      'one of several',
      { anyOf: [{ type: 'null' }, { const: 1 }] },
      2,
      [' is 2: none, or more than one, of its kinds fits'],
    ],
    [
      'two of them',
      { oneOf: [{ minimum: 0 }, { minimum: 1 }] },
      2,
      [' is 2: none, or more than one, of its kinds fits'],
    ],
    ['a format', { format: 'date-time' }, 'tomorrow', [' is "tomorrow": expected date-time']],
    ['a prefix', { format: 'cidrv4' }, '10.0.0.0/33', [' is "10.0.0.0/33": expected cidrv4']],
  ])('%s', (_name, schema, value, errors) => {
    expect(schemaErrors(value, schema, COMPONENTS)).toEqual(errors);
  });

  test('a keyword that is not known is never passed over', () => {
    expect(() => schemaErrors(1, { multipleOf: 2 }, {})).toThrow('"multipleOf" cannot be judged');
    expect(() => schemaErrors('a', { format: 'uuid' }, {})).toThrow('uuid cannot be judged');
    expect(() => schemaErrors(1, { $ref: '#/components/schemas/None' }, {})).toThrow('no #/components/schemas/None');
  });
});

test('texts of a parameter are told apart as servers read them', () => {
  const limit = {
    name: 'limit',
    in: 'query',
    required: false,
    schema: { type: 'integer', minimum: 1, maximum: 500 },
  } as const;
  const { valid, invalid } = textsOf(limit, {});
  expect(valid).toEqual(['1', '500']);
  expect(invalid).toEqual(expect.arrayContaining(['', '0', '-1', '1.5', '501', 'x', 'NaN']));
});

test('a sample is what its schema takes, and most changes of it are not', () => {
  const schema = { $ref: '#/components/schemas/Tree' };
  const sample = sampleOf(schema, { ...COMPONENTS, Name: { ...COMPONENTS.Name, example: 'ab' } });
  expect(schemaErrors(sample, schema, COMPONENTS)).toEqual([]);
  const wrong = Array.from({ length: 200 }, (_, seed) => mutated(sample, seeded(seed))).filter(
    (value) => schemaErrors(value, schema, COMPONENTS).length > 0,
  );
  expect(wrong.length).toBeGreaterThan(100);
});

test('a seed repeats, another one does not', () => {
  const draw = (seed: number): readonly number[] => {
    const chance = seeded(seed);
    return Array.from({ length: 20 }, () => chance.below(1000));
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
});
