import type { Clock } from '@canal/runtime-port';

import type { Credentials, CredentialSource } from './connection.ts';
import { RotatingFile } from './rotating-file.ts';
import { Secret } from './secret.ts';

/** A token that is read from a file, again and again. */
export function tokenFileCredentials(path: string, clock: Clock): CredentialSource {
  const file = new RotatingFile(path, clock);
  return {
    current: async () => ({ token: new Secret(await file.read()) }),
    invalidate: () => {
      file.invalidate();
    },
  };
}

/** A certificate and its key, each from a file or given. */
export function certificateCredentials(cert: TextSource, key: TextSource): CredentialSource {
  return {
    current: async () => ({ clientCertificate: { cert: await cert.read(), key: new Secret(await key.read()) } }),
    invalidate: () => {
      cert.invalidate();
      key.invalidate();
    },
  };
}

/** Text that may change. */
export interface TextSource {
  read(): Promise<string>;
  invalidate(): void;
}

export function fixedText(text: Secret): TextSource {
  return { read: () => Promise.resolve(text.reveal()), invalidate: () => undefined };
}

/** The union of what the sources give; later ones win. */
export function combinedCredentials(sources: readonly CredentialSource[]): CredentialSource {
  return {
    async current(signal) {
      let all: Credentials = {};
      for (const source of sources) all = { ...all, ...(await source.current(signal)) };
      return all;
    },
    invalidate: () => {
      for (const source of sources) source.invalidate();
    },
  };
}
