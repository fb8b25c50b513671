import { createCertificateAuthority, type KeyPair } from '@canal/certificate';

export interface NodeCertificate extends KeyPair {
  /** PEM of the authority that has signed it, and nothing else: its key is gone. */
  readonly authority: string;
}

/**
 * From 1970 to 9999: the key dies with the process, and the Node object forgets it with the next one's start, so dates tell
 * nothing. A node whose clock is wrong at first, as without a battery, would else not be reached until the agent starts anew.
 */
const VALID = { now: new Date(3_600_000), validDays: 2_932_896 };

/** What an agent shows, made anew at each start: no key is ever written anywhere. */
export function createNodeCertificate(node: string): NodeCertificate {
  const authority = createCertificateAuthority({ commonName: 'canal node', ...VALID });
  const { certPem, keyPem } = authority.issueServer({ hosts: [node], validDays: VALID.validDays });
  return { certPem, keyPem, authority: authority.certPem };
}
