/** The socket's permissions, as other users of a real kernel find them. */
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { decodeRequest } from '@canal/agent-protocol';
import { peerCredentials } from '@canal/linux-ffi';
import { createSystemClock } from '@canal/telemetry';
import { createCapturedLogger, waitFor } from '@canal/testing';
import { expect, test } from 'vitest';
import { serveSocket } from './socket-server.ts';

const CLIENT = `
  const { createConnection } = require('node:net');
  const socket = createConnection(process.argv.at(-1), () => socket.write('{"op":"status"}\\n'));
  socket.on('data', (bytes) => process.stdout.write(bytes));
  socket.on('error', (error) => process.stdout.write(error.code));
`;

/** What the client of this user gets: an answer or the code of an error. */
async function ask(path: string, uid: number): Promise<string> {
  const setpriv = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--bounding-set=-all'];
  const command = [...(uid === 0 ? [] : setpriv), process.execPath, '-e', CLIENT, path];
  const client = Bun.spawn(command, { stdout: 'pipe', stderr: 'ignore', env: { BUN_INSTALL_CACHE_DIR: '/nowhere' } });
  return await new Response(client.stdout).text();
}

test('other users cannot connect; where the modes let them, the peer’s uid does not', async () => {
  // Not below the temporary directory of a user: every part of the path must be open to nobody but for the last.
  const directory = mkdtempSync('/run/canal-socket-');
  chmodSync(directory, 0o755);
  const path = join(directory, 'canal', 'policy.sock');
  const stop = new AbortController();
  const log = createCapturedLogger();
  const serving = serveSocket(
    {
      path,
      words: { flag: '--socket', agent: 'agent', served: 'answering', loss: 'Nobody is answered', event: 'NotServed' },
      decode: decodeRequest,
      isFollowed: () => false,
      handle: (request, connection) => {
        connection.send({ ok: true, value: request.op });
        return Promise.resolve();
      },
      peerUid: (fd) => peerCredentials(fd).uid,
      clock: createSystemClock(),
      log,
      problems: { update: () => undefined },
      onRequest: () => undefined,
    },
    stop.signal,
  );
  try {
    await waitFor('the socket', () => existsSync(path));
    expect(await ask(path, 0)).toBe('{"ok":true,"value":"status"}\n');
    expect(await ask(path, 65_534)).toBe('EACCES');
    // Without the directory's protection the socket's own mode holds, and without that the kernel's note of the peer.
    chmodSync(join(directory, 'canal'), 0o755);
    expect(await ask(path, 65_534)).toBe('EACCES');
    chmodSync(path, 0o666);
    expect(await ask(path, 65_534)).toContain('uid 65534 may not ask');
    expect(await ask(path, 0)).toBe('{"ok":true,"value":"status"}\n');
  } finally {
    stop.abort();
    await serving;
    rmSync(directory, { recursive: true });
  }
});
