import { createCertificateAuthority } from '@canal/certificate';
import { expect, test } from 'vitest';
import { readAuthorities } from './authorities.ts';

const one = createCertificateAuthority();
const other = createCertificateAuthority();

test('one, or several', () => {
  expect(readAuthorities(one.certPem)).toEqual({ ok: true, value: one.certPem });
  expect(readAuthorities(`${one.certPem}\n\n${other.certPem.trim()}`)).toEqual({
    ok: true,
    value: one.certPem + other.certPem,
  });
});

test.each([
  ['nothing', ''],
  ['words', 'nonsense'],
  ['words beside it', `${one.certPem}nonsense`],
  ['a key', one.certPem + one.keyPem],
  ['a certificate of no authority', one.issueServer({ hosts: ['a'] }).certPem],
  ['what is no certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
  ['too many', one.certPem.repeat(20)],
])('%s is refused', (_name, text) => {
  expect(readAuthorities(text).ok).toBe(false);
});
