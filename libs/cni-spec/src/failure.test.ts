import { expect, test } from 'vitest';
import { failure, formatFailure } from './failure.ts';
import { formatVersionAnswer } from './version-answer.ts';

test('an error answer has the fields of the specification, details only when there are any', () => {
  expect(JSON.parse(formatFailure('0.4.0', failure(7, 'wrong', 'very')))).toEqual({
    cniVersion: '0.4.0',
    code: 7,
    msg: 'wrong',
    details: 'very',
  });
  expect(JSON.parse(formatFailure('1.1.0', failure(11, 'later', '')))).toEqual({
    cniVersion: '1.1.0',
    code: 11,
    msg: 'later',
  });
});

test('VERSION lists what is supported', () => {
  expect(JSON.parse(formatVersionAnswer())).toEqual({
    cniVersion: '1.1.0',
    supportedVersions: ['0.3.1', '0.4.0', '1.0.0', '1.1.0'],
  });
  expect(JSON.parse(formatVersionAnswer('0.4.0'))).toMatchObject({ cniVersion: '0.4.0' });
});
