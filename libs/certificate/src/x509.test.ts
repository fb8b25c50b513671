import { createPublicKey, X509Certificate } from 'node:crypto';

import { afterEach, describe, expect, test } from 'vitest';

import * as der from './der.ts';
import { createCertificateAuthority } from './x509.ts';

const servers: Bun.Server<undefined>[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(true);
});

/** X.690 §8 and RFC 5280 appendix C give these bytes. */
describe('DER', () => {
  test.each([
    { what: 'zero', bytes: der.smallInteger(0), hex: '020100' },
    { what: 'a high bit gets a leading zero', bytes: der.smallInteger(128), hex: '02020080' },
    { what: 'leading zeros are dropped', bytes: der.unsignedInteger(Uint8Array.of(0, 0, 1, 2)), hex: '02020102' },
    {
      what: 'an identifier with large arcs',
      bytes: der.objectIdentifier('1.2.840.113549.1.1.11'),
      hex: '06092a864886f70d01010b',
    },
    { what: 'a two-byte length', bytes: der.octetString(new Uint8Array(200)).subarray(0, 3), hex: '0481c8' },
    { what: 'a three-byte length', bytes: der.octetString(new Uint8Array(300)).subarray(0, 4), hex: '0482012c' },
    { what: 'a bit string', bytes: der.bitString(Uint8Array.of(0x06), 1), hex: '03020106' },
    {
      what: 'a UTC time',
      bytes: der.time(new Date('2026-11-21T08:09:10.123Z')),
      hex: '170d3236313132313038303931305a',
    },
    {
      what: 'a time after 2049',
      bytes: der.time(new Date('2050-01-01T00:00:00Z')),
      hex: '180f32303530303130313030303030305a',
    },
    { what: 'an explicit tag', bytes: der.context(0, der.smallInteger(2), true), hex: 'a003020102' },
  ])('$what', ({ bytes, hex }) => {
    expect(Buffer.from(bytes).toString('hex')).toBe(hex);
  });
});

describe('a server certificate', () => {
  const authority = createCertificateAuthority({ commonName: 'test CA' });
  const hosts = ['api.canal.test', '127.0.0.1', 'fd00::5'];
  const pair = authority.issueServer({ hosts, validDays: 10 });
  const certificate = new X509Certificate(pair.certPem);
  const ca = new X509Certificate(authority.certPem);

  test('is signed by its authority, and names its hosts', () => {
    expect(ca.ca).toBe(true);
    expect(certificate.ca).toBe(false);
    expect(certificate.checkIssued(ca)).toBe(true);
    expect(certificate.verify(ca.publicKey)).toBe(true);
    expect(ca.verify(ca.publicKey), 'the authority signs itself').toBe(true);
    expect(certificate.checkHost('api.canal.test')).toBe('api.canal.test');
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(certificate.checkIP('fd00::5')).toBe('fd00::5');
    expect(certificate.checkHost('other.test')).toBeUndefined();
  });

  test('has a key of its own, a serial of its own, and ends in time', () => {
    const other = new X509Certificate(authority.issueServer({ hosts }).certPem);
    expect(other.serialNumber).not.toBe(certificate.serialNumber);
    expect(createPublicKey(pair.keyPem).equals(certificate.publicKey)).toBe(true);
    const days = (Date.parse(certificate.validTo) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(9.9);
    expect(days).toBeLessThan(10.1);
    expect(Date.parse(certificate.validFrom)).toBeLessThan(Date.now());
  });

  test('is accepted by a client that knows the authority, and by no other', async () => {
    const server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      tls: { cert: pair.certPem, key: pair.keyPem },
      fetch: () => new Response('ok'),
    });
    servers.push(server);
    const url = `https://127.0.0.1:${String(server.port)}`;
    expect(await (await fetch(url, { tls: { ca: authority.certPem } })).text()).toBe('ok');
    await expect(fetch(url, { tls: { ca: createCertificateAuthority().certPem } })).rejects.toThrow();
    await expect(fetch(url)).rejects.toThrow();
    const named = `https://localhost:${String(server.port)}`;
    await expect(fetch(named, { tls: { ca: authority.certPem } }), 'a name that it does not hold').rejects.toThrow();
  });
});
