/** A service account's tokens are made for persons: the record says which of them it was, as Kubernetes says it. */
import { waitFor } from '@canal/testing';
import { expect, test } from 'vitest';
import { ADMIN, testApp } from './app.fixture.ts';

test.each([{ credential: 'JTI=7c1d9a52' }, {}])(
  'a write with %j is recorded with it, whatever the client says of itself',
  async (known) => {
    const user = 'system:serviceaccount:canal-system:canal-admin';
    const { app, audit } = await testApp({
      authority: {
        authenticate: () => Promise.resolve({ user, key: 'k', ...known }),
        isAllowed: () => Promise.resolve(true),
      },
    });
    const headers = { ...ADMIN, 'canal-on-behalf-of': 'mallory', 'impersonate-user': 'mallory', 'if-match': '"1"' };
    await app.inject({ method: 'PUT', url: '/v1/config/net-conf', headers, payload: { netConf: {} } });
    const [record] = await waitFor('the record', () => (audit.list().length > 0 ? audit.list() : undefined));
    expect(record).toMatchObject({ user, operation: 'putNetConf', ...known });
    expect('credential' in (record ?? {})).toBe('credential' in known);
    expect(JSON.stringify(record)).not.toContain('mallory');
  },
);
