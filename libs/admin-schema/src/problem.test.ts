import { expect, test } from 'vitest';
import * as z from 'zod';
import { fieldErrors, problem, problemSchema, PROBLEMS, type ProblemName } from './problem.ts';

test.each(Object.keys(PROBLEMS) as ProblemName[])('%s is what the document says', (name) => {
  const made = problem(name, { detail: 'why', instance: 'r-1', errors: [{ pointer: '/a', detail: 'b' }] });
  expect(problemSchema.parse(made)).toEqual(made);
  expect(made.type.endsWith(`/${name}`)).toBe(true);
  expect(made.status).toBe(PROBLEMS[name].status);
});

test('pointers name the field, escaped, the part of the request, and the value', () => {
  const schema = z.strictObject({ 'a/b~c': z.array(z.strictObject({ size: z.int() })), name: z.string() });
  const input = { 'a/b~c': [{ size: 1 }, { size: 'x'.repeat(200) }] };
  const { error } = schema.safeParse(input);
  if (error === undefined) throw new Error('it must be refused');
  const [size, name] = fieldErrors('body', error, input);
  expect(size?.pointer).toBe('/a~1b~0c/1/size');
  expect(size?.detail).toBe(`Invalid input: expected number, received string; it is "${'x'.repeat(99)}…`);
  expect(name).toEqual({
    pointer: '/name',
    detail: 'Invalid input: expected string, received undefined; it is absent',
  });
  expect(fieldErrors('query', error, input)[0]?.pointer).toBe('#query/a~1b~0c/1/size');
});

test('a field that is not known is named without its value', () => {
  const input = { token: 'secret-of-somebody', inner: { 'a/b': 1 } };
  const { error } = z.strictObject({ inner: z.strictObject({}) }).safeParse(input);
  if (error === undefined) throw new Error('it must be refused');
  expect(fieldErrors('query', error, input)).toEqual([
    { pointer: '#query/inner/a~1b', detail: 'there is no such field' },
    { pointer: '#query/token', detail: 'there is no such field' },
  ]);
});
