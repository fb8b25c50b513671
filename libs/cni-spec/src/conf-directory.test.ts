import { expect, test } from 'vitest';
import { isConfFileName, pluginTypesOf } from './conf-directory.ts';

test.each([
  ['10-canal.conflist', true],
  ['00-multus.conf', true],
  ['x.json', true],
  ['.hidden.conflist', true],
  ['.canal-tmp-1-10-canal.conflist.tmp', false],
  ['05-cilium.conf.bak', false],
  ['README', false],
])('%s is read by runtimes: %s', (name, read) => {
  expect(isConfFileName(name)).toBe(read);
});

test.each([
  ['{"plugins": [{"type": "a"}, {"type": "b"}]}', ['a', 'b']],
  ['{"type": "weave"}', ['weave']],
  ['{"plugins": [null, 5, {"type": 7}]}', undefined],
  ['{}', undefined],
  ['[]', undefined],
  ['{"plugins": [{"ty', undefined],
])('plugins of %s', (text, types) => {
  expect(pluginTypesOf(text)).toEqual(types);
});
