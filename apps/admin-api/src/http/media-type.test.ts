import { expect, test } from 'vitest';
import { accepts, isJsonContentType } from './media-type.ts';

test.each([
  ['application/json', true],
  ['APPLICATION/JSON; charset=UTF-8', true],
  ['application/json;charset="utf-8"', true],
  ['application/json;', false],
  ['application/json; charset=utf-8; charset=utf-8', false],
  ['application/json; charset=utf-16', false],
  ['application/json ', false],
  ['application/json\n', false],
  ['application/jsonp', false],
  ['', false],
  [undefined, false],
])('%j is JSON: %j', (header, expected) => {
  expect(isJsonContentType(header)).toBe(expected);
});

test.each([
  [undefined, true],
  ['', true],
  ['*/*', true],
  ['application/*', true],
  ['text/html, application/json;q=0.1', true],
  ['text/html', false],
  ['application/json;q=0', false],
  ['application/json;q=0, */*', false],
  ['*/*;q=0', false],
  ['application/*;q=0, */*', false],
  ['garbage', false],
])('%j accepts JSON: %j', (header, expected) => {
  expect(accepts(header, 'application/json')).toBe(expected);
});
