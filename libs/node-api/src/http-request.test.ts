import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HttpRequestReader } from './http-request.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);
const read = (text: string) => new HttpRequestReader().push(bytesOf(text));
const HEAD = 'POST /v1/ask HTTP/1.1\r\nHost: n\r\nAuthorization: Bearer abc\r\n';

test('a request, in whatever pieces', () => {
  const bytes = bytesOf(`${HEAD}Content-Length: 4\r\n\r\n{ü}more`);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 5 }), (cuts) => {
      const reader = new HttpRequestReader();
      const at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      const pieces = at.slice(1).map((end, index) => reader.push(bytes.slice(at[index], end)));
      expect(pieces.find((piece) => piece !== undefined)).toEqual({ token: 'abc', body: '{ü}' });
    }),
  );
});

test('it is not whole yet', () => {
  expect(read('POST /v1/ask HT')).toBeUndefined();
  expect(read(`${HEAD}Content-Length: 3\r\n\r\n{}`)).toBeUndefined();
});

test.each([
  ['no token', 'POST /v1/ask HTTP/1.1\r\nContent-Length: 0\r\n\r\n'],
  ['another scheme', 'POST /v1/ask HTTP/1.1\r\nAuthorization: Basic abc\r\nContent-Length: 0\r\n\r\n'],
  ['a token with a blank', 'POST /v1/ask HTTP/1.1\r\nAuthorization: Bearer a b\r\nContent-Length: 0\r\n\r\n'],
])('%s', (_name, text) => {
  expect(read(text)).toEqual({ token: undefined, body: '' });
});

test.each([
  ['another version', 'POST /v1/ask HTTP/1.0\r\n\r\n', 400],
  ['nonsense', '\x16\x03\x01\r\n\r\n', 400],
  ['another path', 'POST /v1/ask?x HTTP/1.1\r\n\r\n', 404],
  ['another method', 'GET /v1/ask HTTP/1.1\r\n\r\n', 405],
  ['no length', `${HEAD}\r\n`, 411],
  ['chunks', `${HEAD}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n`, 411],
  ['a length that is none', `${HEAD}Content-Length: 0x10\r\n\r\n`, 400],
  ['two lengths', `${HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, 400],
  ['two tokens', `${HEAD}authorization: Bearer x\r\nContent-Length: 2\r\n\r\n`, 400],
  ['a folded line', `${HEAD} more\r\nContent-Length: 2\r\n\r\n`, 400],
  ['a blank before the colon', `${HEAD}Content-Length : 2\r\n\r\n`, 400],
  ['too long a body', `${HEAD}Content-Length: 65537\r\n\r\n`, 413],
  ['too long a head', `${HEAD}X: ${'x'.repeat(9_000)}`, 431],
])('%s is refused', (_name, text, status) => {
  const refusal = read(text);
  expect(refusal).toMatchObject({ status });
  expect(JSON.stringify(refusal), 'never the token').not.toContain('abc');
});
