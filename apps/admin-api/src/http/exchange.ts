/** What the server keeps of a request while it is on its way. */
import type { Subject } from '../access/authority.ts';
import type { ClientIdentity } from '../tls/client-certificate.ts';
import type { Release } from '../limits/limits.ts';

export interface Exchange {
  readonly startedMs: number;
  operation: string;
  /** Of the certificate that the connection has shown. */
  readonly identity: ClientIdentity | undefined;
  subject: Subject | undefined;
  /** Bytes of the body, where there is one. */
  body: Uint8Array;
  /** Aborts when the answer is out, or the client is gone. */
  readonly gone: AbortSignal;
  readonly releases: Release[];
  /** Of a write: its record is made. */
  isRecorded: boolean;
}

/** Until the exchange is over; at once when it is over already: a client may leave while its token is looked at. */
export function holdUntilOver({ gone, releases }: Exchange, release: Release): void {
  if (gone.aborted) release();
  else releases.push(release);
}

export const NO_BODY = new Uint8Array();

declare module 'fastify' {
  interface FastifyRequest {
    exchange: Exchange;
  }
}
