import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ElfError, parseElf } from './elf.ts';
import { GLIBC_FLOOR, newerThanFloor } from './glibc-floor.ts';

test.each([
  [['GLIBC_2.2.5', 'GLIBC_2.17'], []],
  [['GLIBC_2.18', 'GLIBC_2.9'], ['libc.so.6 GLIBC_2.18']],
  [
    ['GLIBC_2.17.1', 'GLIBC_3.0'],
    ['libc.so.6 GLIBC_2.17.1', 'libc.so.6 GLIBC_3.0'],
  ],
  [
    ['GLIBC_PRIVATE', 'GLIBCXX_3.4'],
    ['libc.so.6 GLIBC_PRIVATE', 'libc.so.6 GLIBCXX_3.4'],
  ],
])(`of %j a host with glibc ${GLIBC_FLOOR} lacks %j`, (versions, expected) => {
  const needs = { machine: 'amd64', libraries: [], versions: new Map([['libc.so.6', versions]]) } as const;
  expect(newerThanFloor(needs)).toEqual(expected);
});

test('what is no ELF file, or half of one, is an ElfError and no crash', () => {
  const whole = readFileSync(process.execPath);
  expect(() => parseElf(new Uint8Array())).toThrow(ElfError);
  expect(() => parseElf(Buffer.from('#!/bin/sh\n'.repeat(10)))).toThrow('no ELF file');
  for (const length of [4, 63, 64, 100, 400, 1000, 3000])
    expect(() => parseElf(whole.subarray(0, length))).toThrow(ElfError);
  const narrow = Buffer.from(whole);
  narrow[4] = 1;
  expect(() => parseElf(narrow)).toThrow('64-bit');
});
