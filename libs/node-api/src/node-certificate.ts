import { createCertificateAuthority, type KeyPair } from '@canal/certificate';

export interface NodeCertificate extends KeyPair {
  /** PEM of the authority that has signed it, and nothing else: its key is gone. */
  readonly authority: string;
}

/** Longer than any agent runs; its key dies with the process, and the Node object forgets it with the next one's start. */
const VALID_DAYS = 3_650;

/** What an agent shows, made anew at each start: no key is ever written anywhere. */
export function createNodeCertificate(node: string): NodeCertificate {
  const authority = createCertificateAuthority({ commonName: 'canal node', validDays: VALID_DAYS });
  return { ...authority.issueServer({ hosts: [node], validDays: VALID_DAYS }), authority: authority.certPem };
}
