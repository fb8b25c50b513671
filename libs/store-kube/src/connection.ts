import type { Secret } from './secret.ts';

/** Where an API server is and how to prove who we are: what `createKubeStore` needs, whatever it was read from. */
export interface KubeConnection {
  /** `https://host:port` with an optional path prefix, no trailing slash. */
  readonly baseUrl: string;
  /** Path of a unix socket to connect to instead of the URL's host. */
  readonly unixSocket?: string;
  /** Read for each request, after the credentials: an authority in a file is followed. */
  readonly tls?: TlsMaterial;
  /** Asked before every request, so that a rotated token or certificate is used from then on. */
  readonly credentials: CredentialSource;
  /** Namespace of the context, when it names one. */
  readonly namespace?: string;
}

/** What the server is checked against. */
export interface TlsMaterial {
  /** PEM; absent: the system's authorities. */
  readonly ca?: string;
  /** Accept any certificate (`insecure-skip-tls-verify`). */
  readonly insecure?: boolean;
  /** Name in the certificate when it differs from the URL's host. */
  readonly serverName?: string;
}

export interface Credentials {
  readonly token?: Secret;
  /** HTTP basic, for gateways in front of an API server. */
  readonly basic?: { readonly username: string; readonly password: Secret };
  /** PEM pair. */
  readonly clientCertificate?: { readonly cert: string; readonly key: Secret };
}

export interface CredentialSource {
  current(signal?: AbortSignal): Promise<Credentials>;
  /** Called after a 401: what was handed out is worthless, read or make it anew. */
  invalidate(): void;
}

/** Credentials that never change. */
export function fixedCredentials(credentials: Credentials): CredentialSource {
  return {
    current: () => Promise.resolve(credentials),
    invalidate: () => undefined,
  };
}
