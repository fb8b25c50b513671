/**
 * Who a client is by its certificate, as Kubernetes reads it: the common name is the user, organizations are the groups.
 * That the client has the key is what TLS has shown; everything else is judged here, whatever the runtime thinks of it.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { CertificateError } from './certificate-source.ts';

export interface ClientIdentity {
  readonly user: string;
  readonly groups: readonly string[];
  /** SHA-256 of the certificate, in small hexadecimal digits. */
  readonly fingerprint: string;
  /** Milliseconds since the epoch: connections outlive certificates. */
  readonly validFromMs: number;
  readonly validUntilMs: number;
}

const MAX_FILE_BYTES = 1 << 20;
const MAX_GROUPS = 100;
/** RFC 5280 §4.2.1.12: id-kp-clientAuth. */
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
/** A name is written to logs and records, and sent to Kubernetes: no control characters, and an end. */
const NAME = /^[^\p{Cc}\p{Cs}]{1,253}$/u;

export class ClientAuthorities {
  /** All of them, for the handshake: clients are told whose certificates are taken. */
  readonly pem: string;
  readonly #authorities: readonly X509Certificate[];

  private constructor(pem: string, authorities: readonly X509Certificate[]) {
    this.pem = pem;
    this.#authorities = authorities;
  }

  /** Throws CertificateError, which names the file and never its content. */
  static read(path: string): ClientAuthorities {
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
      throw new CertificateError(`${path} cannot be read: ${code}`);
    }
    if (text.length > MAX_FILE_BYTES) throw new CertificateError(`${path} has more than ${MAX_FILE_BYTES} bytes`);
    const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
    const authorities = blocks.map((block, index) => {
      const certificate = parsed(block);
      if (certificate?.ca === true) return certificate;
      throw new CertificateError(`${path}: certificate ${index + 1} is no authority's`);
    });
    if (authorities.length === 0) throw new CertificateError(`${path} has no certificate in PEM`);
    return new ClientAuthorities(blocks.join('\n'), authorities);
  }

  /** Undefined unless one of the authorities itself has signed it, for clients, with a name. It may be over. */
  identify(der: Uint8Array): ClientIdentity | undefined {
    const certificate = parsed(der);
    if (certificate === undefined || certificate.ca) return undefined;
    // A server of the same authority is no user.
    if (!(certificate.keyUsage as readonly string[] | undefined)?.includes(CLIENT_AUTH)) return undefined;
    const issuer = this.#authorities.find(
      (authority) => certificate.checkIssued(authority) && isSignedBy(certificate, authority),
    );
    if (issuer === undefined) return undefined;
    const { CN: user, O: organizations = [] } = certificate.toLegacyObject().subject as unknown as LegacyName;
    const groups = typeof organizations === 'string' ? [organizations] : organizations;
    if (typeof user !== 'string' || !NAME.test(user)) return undefined;
    if (groups.length > MAX_GROUPS || !groups.every((group) => NAME.test(group))) return undefined;
    return {
      user,
      groups,
      fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
      validFromMs: Math.max(Date.parse(certificate.validFrom), Date.parse(issuer.validFrom)),
      validUntilMs: Math.min(Date.parse(certificate.validTo), Date.parse(issuer.validTo)),
    };
  }
}

/** Fields that are there several times are lists. */
interface LegacyName {
  readonly CN?: string | readonly string[];
  readonly O?: string | readonly string[];
}

/** False, too, where a time cannot be read. */
export function isValidAt({ validFromMs, validUntilMs }: ClientIdentity, nowMs: number): boolean {
  return nowMs >= validFromMs && nowMs <= validUntilMs;
}

function parsed(certificate: string | Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(certificate);
  } catch {
    return undefined;
  }
}

function isSignedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  try {
    return certificate.verify(authority.publicKey);
  } catch {
    return false;
  }
}
