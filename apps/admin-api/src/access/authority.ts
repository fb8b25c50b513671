/** Who asks, and what they may do. */
import type { Role } from '@canal/admin-schema';
import type { ClientIdentity } from '../tls/client-certificate.ts';
import type { ResourceAccess } from './access-rules.ts';

export interface Subject {
  readonly user: string;
  /** Stable over requests of one token, and not the token. */
  readonly key: string;
  /** Which of the user's tokens it is, as Kubernetes logs it; no secret. */
  readonly credential?: string;
}

/** Rejects with ProblemError `unavailable` when it cannot be known: then nobody may do anything. */
export interface Authority<S extends Subject = Subject> {
  /** Undefined: nobody knows the token. */
  authenticate(token: string): Promise<S | undefined>;
  /** Of a certificate that an authority of clients has signed. Absent: certificates are nobody's. */
  readonly identify?: (identity: ClientIdentity) => S;
  isAllowed(subject: S, access: ResourceAccess, role: Role): Promise<boolean>;
}
