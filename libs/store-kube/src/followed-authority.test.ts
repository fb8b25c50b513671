import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createCertificateAuthority } from '@canal/certificate';
import { createFakeClock } from '@canal/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';

import type { KubeConnection } from './connection.ts';
import { loadInCluster } from './in-cluster.ts';
import { loadKubeconfig } from './kubeconfig.ts';
import { send } from './request.ts';

const [before, after] = [createCertificateAuthority(), createCertificateAuthority()];
const clock = createFakeClock();

let directory: string;
let server: Bun.Server<undefined> | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'canal-authority-'));
  writeFileSync(join(directory, 'token'), 'secret');
  writeFileSync(join(directory, 'ca.crt'), before.certPem);
});

afterEach(async () => {
  await server?.stop(true);
  rmSync(directory, { recursive: true });
});

/** An API server whose certificate this authority has issued; a former one ends. Gives the port, always the same. */
async function serve(authority: typeof before): Promise<number> {
  const port = server?.port ?? 0;
  await server?.stop(true);
  const { certPem, keyPem } = authority.issueServer({ hosts: ['127.0.0.1'] });
  server = Bun.serve({
    hostname: '127.0.0.1',
    port,
    tls: { cert: certPem, key: keyPem },
    fetch: () => new Response('ok'),
  });
  return server.port ?? 0;
}

async function answerOf(connection: KubeConnection): Promise<string> {
  const response = await send(connection, { method: 'GET', path: '/x' }, AbortSignal.timeout(5_000));
  return await response.text();
}

const CONNECTIONS: readonly [string, (port: number) => Promise<KubeConnection>][] = [
  [
    'a pod’s ca.crt',
    (port) => {
      const env = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(port) };
      return loadInCluster({ env, directory }, clock);
    },
  ],
  [
    'the file that a kubeconfig names',
    (port) => {
      const path = join(directory, 'config');
      writeFileSync(
        path,
        `current-context: x
clusters: [{name: c, cluster: {server: "https://127.0.0.1:${port}", certificate-authority: ca.crt}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
users: [{name: u, user: {token: secret}}]
`,
      );
      return loadKubeconfig({ paths: [path] }, clock);
    },
  ],
];

test.each(CONNECTIONS)(
  '%s is followed: a renewed authority is trusted, the former one is not any more',
  async (_title, connect) => {
    const connection = await connect(await serve(before));
    expect(await answerOf(connection)).toBe('ok');
    await serve(after);
    await clock.advance(10_000);
    await expect(answerOf(connection)).rejects.toThrow(/certificate/);
    writeFileSync(join(directory, 'ca.crt'), after.certPem);
    await clock.advance(10_000);
    expect(await answerOf(connection)).toBe('ok');
    await serve(before);
    await expect(answerOf(connection)).rejects.toThrow(/certificate/);
    // A gap in a rotation by hand: what was read last is in force.
    await serve(after);
    unlinkSync(join(directory, 'ca.crt'));
    await clock.advance(10_000);
    expect(await answerOf(connection)).toBe('ok');
  },
);

test('a pod without ca.crt is told so at once', async () => {
  unlinkSync(join(directory, 'ca.crt'));
  const connecting = loadInCluster(
    { env: { KUBERNETES_SERVICE_HOST: 'x', KUBERNETES_SERVICE_PORT: '1' }, directory },
    clock,
  );
  await expect(connecting).rejects.toThrow(`${join(directory, 'ca.crt')} cannot be read`);
});
