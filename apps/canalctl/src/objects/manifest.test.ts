import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../report-error.ts';
import { parseManifests } from './manifest.ts';

const POD = 'apiVersion: v1\nkind: Pod\nmetadata: { name: a, namespace: b }\n';

describe('where an object stood', () => {
  test('is the line of its document; items of a list are counted', () => {
    const list = 'kind: PodList\nitems:\n  - { apiVersion: v1, kind: Pod, metadata: { name: c } }\n';
    const found = parseManifests(`# first\n${POD}---\n${list}---\n# nothing\n---\n`, 'f');
    expect(found.map(({ where, name, namespace }) => [where, name, namespace])).toEqual([
      ['f:2', 'a', 'b'],
      ['f:6 item 0', 'c', undefined],
    ]);
  });

  test('JSON has no lines', () => {
    const text = JSON.stringify({
      apiVersion: 'v1',
      kind: 'List',
      items: [{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } }],
    });
    expect(parseManifests(text, 'f').map(({ where }) => where)).toEqual(['f item 0']);
  });
});

test('whatever the text is: objects, or one line that names the file', () => {
  const piece = fc.constantFrom(
    '\n',
    ' ',
    '  ',
    ':',
    ': ',
    '- ',
    '---\n',
    '{',
    '}',
    '[',
    ']',
    '"',
    "'",
    '|',
    '>',
    '&a ',
    '*a',
    '<<: ',
    '? ',
    '!!binary ',
    '!x ',
    '#',
    '%',
    '\t',
    '\0',
    'items',
    'kind: List',
    '__proto__',
    '1e999',
    '.nan',
    POD,
  );
  const spoilt = fc
    .tuple(fc.nat(POD.length), fc.nat(5), fc.string())
    .map(([at, length, text]) => POD.slice(0, at) + text + POD.slice(at + length));
  const texts = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join('')),
    spoilt,
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        for (const { name, kind, apiVersion } of parseManifests(text, 'f')) {
          expect([name, kind, apiVersion].every((field) => typeof field === 'string' && field !== '')).toBe(true);
        }
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        expect(error.message).toMatch(/^f\b/);
        expect(error.message).not.toContain('\n');
      }
    }),
    { numRuns: 3000 },
  );
});
