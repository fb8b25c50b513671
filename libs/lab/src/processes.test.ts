import { expect, test } from 'vitest';
import { labEnvironment } from './processes.ts';

test('what the lab starts gets nothing of the caller’s environment', () => {
  process.env['BUN_OPTIONS'] = '--preload ./evil.js';
  process.env['BUN_BE_BUN'] = '1';
  try {
    expect(labEnvironment('id', 'flanneld/node1', { NODE_NAME: 'node1' })).toEqual({
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      NODE_NAME: 'node1',
      CANAL_LAB_ID: 'id',
      CANAL_LAB_ROLE: 'flanneld/node1',
    });
  } finally {
    delete process.env['BUN_OPTIONS'];
    delete process.env['BUN_BE_BUN'];
  }
});

test('nobody can take the mark away', () => {
  expect(labEnvironment('id', 'cni', { CANAL_LAB_ID: 'other' })['CANAL_LAB_ID']).toBe('id');
});
