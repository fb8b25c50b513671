import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { createNodeCertificate } from './node-certificate.ts';

test('holds whatever the clock of the node says, when it is made and later', () => {
  const { certPem, authority } = createNodeCertificate('a');
  for (const pem of [certPem, authority]) {
    const { validFrom, validTo } = new X509Certificate(pem);
    expect(new Date(validFrom).toISOString()).toBe('1970-01-01T00:00:00.000Z');
    expect(new Date(validTo).toISOString()).toBe('9999-12-31T01:00:00.000Z');
  }
});
