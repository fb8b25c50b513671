import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

import { ipToBytes, parseIp } from 'net-types';

import * as der from './der.ts';

/** A certificate with its private key, both PEM. */
export interface KeyPair {
  readonly certPem: string;
  readonly keyPem: string;
}

export interface CertificateAuthority extends KeyPair {
  /** A server certificate for these names and addresses (DNS names, or IPs as text). */
  issueServer(options: ServerCertificateOptions): KeyPair;
}

export interface ServerCertificateOptions {
  readonly hosts: readonly string[];
  /** The holder may also show it as a client. */
  readonly clientAuth?: boolean;
  readonly validDays?: number;
}

export interface AuthorityOptions {
  readonly commonName?: string;
  readonly validDays?: number;
  /** Start of validity; the default is an hour ago, for clocks that disagree. */
  readonly now?: Date;
}

/** A new authority of its own (ECDSA P-256, RFC 5280 profile). It exists only in memory until the caller writes it. */
export function createCertificateAuthority(options: AuthorityOptions = {}): CertificateAuthority {
  const now = options.now ?? new Date();
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const subject = distinguishedName(options.commonName ?? 'canal embedded CA');
  const issuer: Issuer = { subject, publicKey: keys.publicKey, privateKey: keys.privateKey };
  const certPem = signCertificate(issuer, {
    subject,
    publicKey: keys.publicKey,
    notBefore: hoursBefore(now),
    notAfter: daysAfter(now, options.validDays ?? 3650),
    extensions: [
      extension(OID.basicConstraints, true, der.sequence(der.boolean(true))),
      // keyCertSign (5) and cRLSign (6): bits count from the left.
      extension(OID.keyUsage, true, der.bitString(Uint8Array.of(0b0000_0110), 1)),
    ],
  });
  return {
    certPem,
    keyPem: privateKeyPem(keys.privateKey),
    issueServer: (server) => issueServer(issuer, server, now),
  };
}

interface Issuer {
  readonly subject: der.Der;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

interface CertificateContent {
  readonly subject: der.Der;
  readonly publicKey: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions: readonly der.Der[];
}

function issueServer(issuer: Issuer, options: ServerCertificateOptions, now: Date): KeyPair {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const names = options.hosts.map(generalName);
  const usages = [OID.serverAuth, ...(options.clientAuth === true ? [OID.clientAuth] : [])];
  const certPem = signCertificate(issuer, {
    subject: distinguishedName(options.hosts[0] ?? 'server'),
    publicKey: keys.publicKey,
    notBefore: hoursBefore(now),
    notAfter: daysAfter(now, options.validDays ?? 825),
    extensions: [
      extension(OID.basicConstraints, true, der.sequence()),
      // digitalSignature (0).
      extension(OID.keyUsage, true, der.bitString(Uint8Array.of(0b1000_0000), 7)),
      extension(OID.extendedKeyUsage, false, der.sequence(...usages.map(der.objectIdentifier))),
      extension(OID.subjectAltName, false, der.sequence(...names)),
    ],
  });
  return { certPem, keyPem: privateKeyPem(keys.privateKey) };
}

function signCertificate(issuer: Issuer, content: CertificateContent): string {
  const algorithm = der.sequence(der.objectIdentifier(OID.ecdsaWithSha256));
  const serial = randomBytes(16);
  // At most 20 octets and never zero (RFC 5280 §4.1.2.2).
  serial[0] = (serial[0] ?? 0) | 0x40;
  const toBeSigned = der.sequence(
    der.context(0, der.smallInteger(2), true),
    der.unsignedInteger(serial),
    algorithm,
    issuer.subject,
    der.sequence(der.time(content.notBefore), der.time(content.notAfter)),
    content.subject,
    publicKeyInfo(content.publicKey),
    der.context(3, der.sequence(...content.extensions, ...keyIdentifiers(issuer, content)), true),
  );
  const signature = sign('sha256', toBeSigned, issuer.privateKey);
  return pem('CERTIFICATE', der.sequence(toBeSigned, algorithm, der.bitString(signature)));
}

function keyIdentifiers(issuer: Issuer, content: CertificateContent): readonly der.Der[] {
  return [
    extension(OID.subjectKeyIdentifier, false, der.octetString(keyIdentifier(content.publicKey))),
    extension(OID.authorityKeyIdentifier, false, der.sequence(der.context(0, keyIdentifier(issuer.publicKey), false))),
  ];
}

function keyIdentifier(key: KeyObject): Uint8Array {
  return createHash('sha1').update(publicKeyInfo(key)).digest();
}

function publicKeyInfo(key: KeyObject): Uint8Array {
  return key.export({ format: 'der', type: 'spki' });
}

function privateKeyPem(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'pkcs8' }).toString();
}

function distinguishedName(commonName: string): der.Der {
  return der.sequence(der.setOfOne(der.sequence(der.objectIdentifier(OID.commonName), der.utf8String(commonName))));
}

/** dNSName [2] or iPAddress [7] (RFC 5280 §4.2.1.6). */
function generalName(host: string): der.Der {
  const ip = parseIp(host);
  if (ip.ok) return der.context(7, ipToBytes(ip.value), false);
  return der.context(2, new TextEncoder().encode(host), false);
}

function extension(oid: string, critical: boolean, value: der.Der): der.Der {
  return der.sequence(der.objectIdentifier(oid), ...(critical ? [der.boolean(true)] : []), der.octetString(value));
}

function pem(label: string, bytes: Uint8Array): string {
  const lines = Buffer.from(bytes)
    .toString('base64')
    .replace(/.{64}/g, (line) => `${line}\n`);
  return `-----BEGIN ${label}-----\n${lines.trimEnd()}\n-----END ${label}-----\n`;
}

function hoursBefore(now: Date): Date {
  return new Date(now.getTime() - 3_600_000);
}

function daysAfter(now: Date, days: number): Date {
  return new Date(now.getTime() + days * 86_400_000);
}

const OID = {
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
} as const;
