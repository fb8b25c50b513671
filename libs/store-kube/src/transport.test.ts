import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';

import { createCertificateAuthority } from '@canal/certificate';
import { createFakeClock } from '@canal/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { fixedCredentials, type KubeConnection } from './connection.ts';
import { loadKubeconfig } from './kubeconfig.ts';
import { send } from './request.ts';

let directory: string;
const closers: (() => unknown)[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), `canal-transport-${String(process.pid)}-`));
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  rmSync(directory, { recursive: true, force: true });
});

async function bodyOf(connection: KubeConnection): Promise<string> {
  const response = await send(connection, { method: 'GET', path: '/x' }, AbortSignal.timeout(5_000));
  return await response.text();
}

test('a unix socket stands in for the host', async () => {
  const unixSocket = join(directory, 'api.sock');
  const server = Bun.serve({ unix: unixSocket, fetch: (request) => new Response(new URL(request.url).pathname) });
  closers.push(() => server.stop(true));
  expect(await bodyOf({ baseUrl: 'http://localhost', unixSocket, credentials: fixedCredentials({}) })).toBe('/x');
});

describe('client certificates', () => {
  const authority = createCertificateAuthority();
  const server = authority.issueServer({ hosts: ['127.0.0.1'] });
  const client = authority.issueServer({ hosts: ['some-client'], clientAuth: true });

  /** Answers with the name in the client's certificate; refuses clients without one. */
  async function startServer(): Promise<string> {
    const https: Server = createServer(
      { cert: server.certPem, key: server.keyPem, ca: authority.certPem, requestCert: true, rejectUnauthorized: true },
      (request, response) => {
        response.end(nameOf(request.socket));
      },
    );
    await new Promise<void>((resolve) => {
      https.listen(0, '127.0.0.1', resolve);
    });
    closers.push(() => https.close());
    const address = https.address();
    return `https://127.0.0.1:${String(typeof address === 'object' && address !== null ? address.port : 0)}`;
  }

  function nameOf(socket: object): string {
    const authorized: unknown = Reflect.get(socket, 'authorized' satisfies keyof TLSSocket);
    return authorized === true ? 'known' : 'unknown';
  }

  function kubeconfig(url: string, user: string): string {
    const path = join(directory, 'config');
    const ca = Buffer.from(authority.certPem).toString('base64');
    writeFileSync(
      path,
      `current-context: x
clusters: [{name: c, cluster: {server: "${url}", certificate-authority-data: ${ca}}}]
users: [{name: u, user: ${user}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
`,
    );
    return path;
  }

  test('from files reach the server', async () => {
    writeFileSync(join(directory, 'client.crt'), client.certPem);
    writeFileSync(join(directory, 'client.key'), client.keyPem);
    const path = kubeconfig(await startServer(), '{client-certificate: client.crt, client-key: client.key}');
    expect(await bodyOf(await loadKubeconfig({ paths: [path] }, createFakeClock()))).toBe('known');
  });

  test('that are missing are refused by the server', async () => {
    const path = kubeconfig(await startServer(), '{}');
    await expect(bodyOf(await loadKubeconfig({ paths: [path] }, createFakeClock()))).rejects.toThrow();
  });
});
