/**
 * One process of this tool at a time. The lock is a socket of a name that is no file (unix(7), "abstract"): the kernel takes
 * it away with its process, however that ends. It holds in the machine's own network namespace.
 */
import type { Server } from 'node:net';
import { createServer } from 'node:net';

import { ClusterError } from './failure.ts';

/** What all clusters share: claims of numbers, mount points, limits. No cluster can be called so. */
export const MACHINE = 'the machine';

const LIMIT = 120_000;

/** Calls `act` when nobody else is at `what`; not to be nested for the same. Throws `conflict` after `limit` milliseconds. */
export async function exclusively<T>(what: string, act: () => T | Promise<T>, limit = LIMIT): Promise<T> {
  const name = `canal-cluster/${what}`;
  const deadline = Date.now() + limit;
  let held = await listen(name);
  while (held === undefined) {
    if (Date.now() > deadline)
      throw new ClusterError(
        'conflict',
        `another process has been at work on ${what} for ${limit / 1000} s: wait for it, or see which it is with "ss -xlp"`,
      );
    await Bun.sleep(50);
    held = await listen(name);
  }
  try {
    return await act();
  } finally {
    held.close();
  }
}

function listen(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(`\0${name}`, () => {
      resolve(server);
    });
  });
}
