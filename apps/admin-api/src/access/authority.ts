/** Who asks, and what they may do. */
import type { Role } from '@canal/admin-schema';
import type { Access } from './access-rules.ts';

export interface Subject {
  readonly user: string;
  /** Stable over requests of one token, and not the token. */
  readonly key: string;
}

/** Rejects with ProblemError `unavailable` when it cannot be known: then nobody may do anything. */
export interface Authority<S extends Subject = Subject> {
  /** Undefined: nobody knows the token. */
  authenticate(token: string): Promise<S | undefined>;
  isAllowed(subject: S, access: Access, role: Role): Promise<boolean>;
}
