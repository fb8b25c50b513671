/** What the server keeps of a request while it is on its way. */
import type { Subject } from '../access/authority.ts';
import type { Release } from '../limits/limits.ts';

export interface Exchange {
  readonly startedMs: number;
  operation: string;
  subject: Subject | undefined;
  /** Bytes of the body, where there is one. */
  body: Uint8Array;
  readonly releases: Release[];
}

export const NO_BODY = new Uint8Array();

declare module 'fastify' {
  interface FastifyRequest {
    exchange: Exchange;
  }
}
