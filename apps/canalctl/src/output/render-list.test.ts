import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { UsageError } from '../report-error.ts';
import { parseFieldPath, valuesAt } from './field-path.ts';
import { listFormatOption, parseListFormat } from './list-format.ts';
import { type ListView, renderList, renderValue } from './render-list.ts';

interface Pod {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly ips: readonly string[];
}

const WEB: Pod = { metadata: { name: 'web', labels: { 'a.b/c': 'x', app: 'web' } }, ips: ['10.0.0.1', 'fd00::1'] };
const DB: Pod = { metadata: { name: 'db' }, ips: [] };
const VIEW: ListView<Pod> = {
  columns: [
    { title: 'NAME', cell: ({ metadata }) => metadata.name },
    { title: 'IPS', wide: true, cell: ({ ips }) => ips.join(' ') },
  ],
  name: ({ metadata }) => `pod/${metadata.name}`,
  value: (pod) => pod,
};

const rendered = (format: string): Promise<string> => renderList([WEB, DB], VIEW, parseListFormat(format));

test.each([
  ['table', 'NAME\nweb\ndb\n'],
  ['wide', 'NAME  IPS\nweb   10.0.0.1 fd00::1\ndb\n'],
  ['name', 'pod/web\npod/db\n'],
  ['custom-columns=N:.metadata.name,IP:.ips[0]', 'N    IP\nweb  10.0.0.1\ndb   <none>\n'],
  ['custom-columns=N:metadata.name,LAST:.ips[-1]', 'N    LAST\nweb  fd00::1\ndb   <none>\n'],
  ['custom-columns=IPS:{.ips[*]}', 'IPS\n10.0.0.1,fd00::1\n<none>\n'],
  ['custom-columns=A:.metadata.labels.a\\.b/c', 'A\nx\n<none>\n'],
  ["custom-columns=A:.metadata.labels['a.b/c'],B:.ips", 'A       B\nx       ["10.0.0.1","fd00::1"]\n<none>  []\n'],
  ['custom-columns=P:.metadata.constructor.name', 'P\n<none>\n<none>\n'],
])('-o %s', async (format, text) => {
  expect(await rendered(format)).toBe(text);
});

test('JSON and YAML are the values', async () => {
  expect(JSON.parse(await rendered('json'))).toEqual([WEB, DB]);
  expect(parse(await rendered('yaml'))).toEqual([WEB, DB]);
});

test.each([
  'text',
  '',
  'custom-columns',
  'custom-columns=',
  'custom-columns=NAME',
  'custom-columns=:.a',
  'custom-columns=A:.a[',
  'custom-columns=A:.a[x]',
  'custom-columns=A:a..b',
])('-o %j is refused, and what there is is named', (format) => {
  expect(() => parseListFormat(format)).toThrow(UsageError);
});

test('help and completion know the formats', () => {
  expect(listFormatOption().argChoices).toEqual(['table', 'wide', 'json', 'yaml', 'name', 'custom-columns=']);
});

describe('paths', () => {
  test('every field is reached by its name, whatever that is', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string(), (name, value) => {
        fc.pre(name !== '*');
        const path = parseFieldPath(`.a.${name.replace(/[.[\]\\]/g, '\\$&')}`);
        expect(path && valuesAt({ a: Object.fromEntries([[name, value]]) }, path)).toEqual([value]);
      }),
    );
  });

  test('whatever is typed: a path that leads somewhere or nowhere, or none', () => {
    fc.assert(
      fc.property(fc.string(), fc.jsonValue(), (text, value) => {
        const path = parseFieldPath(text);
        if (path !== undefined) expect(Array.isArray(valuesAt(value, path))).toBe(true);
      }),
    );
  });
});

test('YAML of others moves no cursor', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
      expect(await renderValue({ [text]: [text] }, 'yaml')).not.toMatch(
        /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/,
      );
    }),
  );
});
