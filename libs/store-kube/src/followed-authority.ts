import type { CredentialSource, TlsMaterial } from './connection.ts';
import type { TextSource } from './credential-sources.ts';

/** What a connection checks its server by, and the credentials that bring it up to date before each request. */
export interface FollowedAuthority {
  readonly tls: TlsMaterial;
  readonly credentials: CredentialSource;
}

/**
 * A cluster's authority is renewed while we run: both certificates stand in the file for a while, then the new one alone.
 * A connection that is open stays; whoever connects anew is judged by what the file says.
 */
export async function followAuthority(
  file: TextSource,
  fixed: Omit<TlsMaterial, 'ca'>,
  credentials: CredentialSource,
): Promise<FollowedAuthority> {
  let ca = await file.read();
  return {
    tls: {
      ...fixed,
      get ca() {
        return ca;
      },
    },
    credentials: {
      async current(signal) {
        ca = await file.read();
        return await credentials.current(signal);
      },
      invalidate: () => {
        file.invalidate();
        credentials.invalidate();
      },
    },
  };
}
