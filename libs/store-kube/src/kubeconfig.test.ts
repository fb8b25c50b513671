import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { connectAgent, userKubeconfigPaths } from './connect.ts';
import { KubeConfigError } from './connection-error.ts';
import type { Credentials } from './connection.ts';
import { loadInCluster } from './in-cluster.ts';
import { loadKubeconfig } from './kubeconfig.ts';

const CANARY = 'c4n4ry-s3cr3t';
const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const base64 = (text: string): string => Buffer.from(text).toString('base64');

let directory: string;
let nowMs = 0;
const clock = { nowMs: () => nowMs, sleep: () => Promise.resolve() };

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), `canal-kubeconfig-${String(process.pid)}-`));
  nowMs = 0;
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

/** A kubeconfig with one context; `user` and `cluster` are YAML flow mappings. */
function kubeconfig(user: string, cluster = '{server: "https://10.0.0.1:6443"}'): string {
  return write(
    'config',
    `apiVersion: v1
kind: Config
current-context: main
clusters: [{name: c, cluster: ${cluster}}]
users: [{name: u, user: ${user}}]
contexts: [{name: main, context: {cluster: c, user: u, namespace: team}}]
`,
  );
}

function revealed(credentials: Credentials): object {
  const { token, basic, clientCertificate } = credentials;
  return {
    ...(token === undefined ? {} : { token: token.reveal() }),
    ...(basic === undefined ? {} : { basic: `${basic.username}:${basic.password.reveal()}` }),
    ...(clientCertificate === undefined ? {} : { cert: clientCertificate.cert, key: clientCertificate.key.reveal() }),
  };
}

async function failure(work: Promise<unknown>): Promise<KubeConfigError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof KubeConfigError) return error;
  throw new Error(`expected a KubeConfigError, got ${String(error)}`);
}

describe('what a user entry gives', () => {
  const cases = [
    { name: 'a token', user: '{token: abc}', gives: { token: 'abc' } },
    { name: 'user name and password', user: '{username: a, password: b}', gives: { basic: 'a:b' } },
    { name: 'nothing for an anonymous user', user: '{}', gives: {} },
    {
      name: 'an inline client certificate',
      user: `{client-certificate-data: ${base64(PEM)}, client-key-data: ${base64(PEM)}}`,
      gives: { cert: PEM, key: PEM },
    },
  ];
  test.each(cases)('$name', async ({ user, gives }) => {
    const connection = await loadKubeconfig({ paths: [kubeconfig(user)] }, clock);
    expect(revealed(await connection.credentials.current())).toEqual(gives);
    expect(connection).toMatchObject({ baseUrl: 'https://10.0.0.1:6443', namespace: 'team' });
  });

  test('certificate files beside the kubeconfig, read again when they are replaced', async () => {
    write('cert.pem', `${PEM}1`);
    write('key.pem', `${PEM}1`);
    const path = kubeconfig('{client-certificate: cert.pem, client-key: key.pem}');
    const { credentials } = await loadKubeconfig({ paths: [path] }, clock);
    expect(revealed(await credentials.current())).toEqual({ cert: `${PEM}1`, key: `${PEM}1` });
    write('cert.pem', `${PEM}2`);
    write('key.pem', `${PEM}2`);
    nowMs += 60_000;
    expect(revealed(await credentials.current())).toEqual({ cert: `${PEM}2`, key: `${PEM}2` });
  });

  test('a token file wins over a token, follows rotation, and outlives a gap', async () => {
    const tokenPath = write('token', 'first\n');
    const { credentials } = await loadKubeconfig({ paths: [kubeconfig('{token: old, tokenFile: token}')] }, clock);
    expect(revealed(await credentials.current())).toEqual({ token: 'first' });
    writeFileSync(tokenPath, 'second');
    expect(revealed(await credentials.current()), 'still fresh').toEqual({ token: 'first' });
    credentials.invalidate();
    expect(revealed(await credentials.current()), 'after a 401').toEqual({ token: 'second' });
    rmSync(tokenPath);
    nowMs += 60_000;
    expect(revealed(await credentials.current()), 'file is gone').toEqual({ token: 'second' });
  });

  test('an exec plugin, asked once and again after a refusal', async () => {
    const plugin = write(
      'plugin.sh',
      `#!/bin/sh
echo run >> "${directory}/runs"
echo "$KUBERNETES_EXEC_INFO" > "${directory}/info"
echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"'"$PREFIX-$1"'"}}'
`,
    );
    execFileSync('chmod', ['+x', plugin]);
    const user =
      '{exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin.sh, args: [t1], env: [{name: PREFIX, value: p}]}}';
    const { credentials } = await loadKubeconfig({ paths: [kubeconfig(user)] }, clock);
    expect(revealed(await credentials.current())).toEqual({ token: 'p-t1' });
    await credentials.current();
    expect(execFileSync('cat', [join(directory, 'runs')]).toString()).toBe('run\n');
    credentials.invalidate();
    await credentials.current();
    expect(execFileSync('cat', [join(directory, 'runs')]).toString()).toBe('run\nrun\n');
    expect(execFileSync('cat', [join(directory, 'info')]).toString()).toContain('"kind":"ExecCredential"');
  });
});

describe('what a cluster entry gives', () => {
  test('authority, server name, path prefix', async () => {
    const cluster = `{server: "https://gw.example/k8s/c1/", certificate-authority-data: ${base64(PEM)}, tls-server-name: api}`;
    const connection = await loadKubeconfig({ paths: [kubeconfig('{}', cluster)] }, clock);
    expect(connection).toMatchObject({ baseUrl: 'https://gw.example/k8s/c1', tls: { ca: PEM, serverName: 'api' } });
  });

  test('insecure-skip-tls-verify', async () => {
    const cluster = '{server: "https://h", insecure-skip-tls-verify: true}';
    const connection = await loadKubeconfig({ paths: [kubeconfig('{}', cluster)] }, clock);
    expect(connection.tls).toEqual({ insecure: true });
  });
});

describe('several files', () => {
  test('the first entry of a name counts, and missing files are skipped', async () => {
    const first = write('a', 'current-context: x\nclusters: [{name: c, cluster: {server: "https://one"}}]\n');
    const second = write(
      'b',
      'current-context: y\nclusters: [{name: c, cluster: {server: "https://two"}}]\ncontexts: [{name: x, context: {cluster: c}}]\n',
    );
    const connection = await loadKubeconfig({ paths: [first, join(directory, 'absent'), second] }, clock);
    expect(connection.baseUrl).toBe('https://one');
  });

  test('KUBECONFIG lists them; without it there is ~/.kube/config', () => {
    expect(userKubeconfigPaths({ KUBECONFIG: '/a::/b' })).toEqual(['/a', '/b']);
    expect(userKubeconfigPaths({ HOME: '/home/me' })).toEqual(['/home/me/.kube/config']);
  });
});

describe('refusals name file and field, never a credential', () => {
  const secretUser = `token: ${CANARY}`;
  const cases = [
    {
      name: 'no such context',
      user: `{${secretUser}}`,
      context: 'other',
      code: 'missing-entry',
      text: 'there are: main',
    },
    { name: 'impersonation', user: `{${secretUser}, as: admin}`, code: 'unsupported', text: 'impersonation' },
    {
      name: 'certificate without key',
      user: `{${secretUser}, client-certificate: x}`,
      code: 'malformed',
      text: 'client-key',
    },
    {
      name: 'key data that is no PEM',
      user: `{client-certificate-data: ${base64(PEM)}, client-key-data: ${base64(CANARY)}}`,
      code: 'malformed',
      text: 'client-key-data',
    },
    {
      name: 'a token that is a mapping',
      user: `{token: {a: ${CANARY}}}`,
      code: 'malformed',
      text: 'users[0].user.token must be a string',
    },
    { name: 'broken YAML', user: `{token: "${CANARY}`, code: 'malformed', text: 'is not YAML' },
    {
      name: 'a proxy',
      user: `{${secretUser}}`,
      cluster: '{server: "https://h", proxy-url: "http://p"}',
      code: 'unsupported',
      text: 'proxy-url',
    },
    {
      name: 'a password in the URL',
      user: '{}',
      cluster: `{server: "https://u:${CANARY}@h"}`,
      code: 'unsupported',
      text: 'user name or password',
    },
    {
      name: 'no server',
      user: `{${secretUser}}`,
      cluster: '{}',
      code: 'malformed',
      text: 'clusters[0].cluster.server',
    },
    {
      name: 'a server that is no URL',
      user: `{${secretUser}}`,
      cluster: '{server: "ftp://h"}',
      code: 'malformed',
      text: 'http or https',
    },
  ];
  test.each(cases)('$name', async ({ user, cluster, context, code, text }) => {
    const options = { paths: [kubeconfig(user, cluster)], ...(context === undefined ? {} : { context }) };
    const error = await failure(loadKubeconfig(options, clock));
    expect(error.code).toBe(code);
    expect(error.message).toContain(text);
    expect(`${inspect(error)} ${JSON.stringify(error)}`).not.toContain(CANARY);
  });

  test('a plugin that prints its token in a wrong form', async () => {
    const user = `{exec: {command: /bin/echo, args: ["${CANARY} {"]}}`;
    const { credentials } = await loadKubeconfig({ paths: [kubeconfig(user)] }, clock);
    const error = await failure(credentials.current());
    expect(error.message).toContain('something else than JSON');
    expect(inspect(error)).not.toContain(CANARY);
  });

  test('a plugin that is not installed shows its hint', async () => {
    const user = '{exec: {command: canal-no-such-plugin, installHint: get it from us}}';
    const { credentials } = await loadKubeconfig({ paths: [kubeconfig(user)] }, clock);
    expect((await failure(credentials.current())).message).toContain('get it from us');
  });

  test('a connection prints without its secrets', async () => {
    const connection = await loadKubeconfig({ paths: [kubeconfig(`{${secretUser}}`)] }, clock);
    const credentials = await connection.credentials.current();
    expect(
      `${inspect(credentials, { depth: 9, showHidden: true })}${JSON.stringify(credentials)}${String(credentials.token)}`,
    ).not.toContain(CANARY);
  });
});

describe('in a pod', () => {
  const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };

  test('address, authority, namespace and a token that follows its file', async () => {
    write('ca.crt', PEM);
    write('token', 'one');
    write('namespace', 'kube-flannel');
    const connection = await loadInCluster({ env, directory }, clock);
    expect(connection).toMatchObject({
      baseUrl: 'https://[fd00::1]:443',
      tls: { ca: PEM.trim() },
      namespace: 'kube-flannel',
    });
    write('token', 'two');
    nowMs += 60_000;
    expect(revealed(await connection.credentials.current())).toEqual({ token: 'two' });
  });

  test('says so when it is none', async () => {
    expect((await failure(loadInCluster({ env: {} }, clock))).message).toContain('this is no pod');
  });

  test('names the file that is missing', async () => {
    expect((await failure(loadInCluster({ env, directory }, clock))).message).toContain('ca.crt');
  });
});

test('an agent takes the file, else the URL, else the pod', async () => {
  const path = kubeconfig('{}');
  expect((await connectAgent({ kubeconfigPath: path, apiUrl: 'https://other', env: {} }, clock)).baseUrl).toBe(
    'https://other',
  );
  expect((await connectAgent({ apiUrl: 'h:8080', env: {} }, clock)).baseUrl).toBe('http://h:8080');
  expect((await failure(connectAgent({ env: {} }, clock))).code).toBe('missing-entry');
  // An agent's user is told which flag it was.
  const unreadable = await failure(connectAgent({ kubeconfigPath: '/nowhere/kubeconfig', env: {} }, clock));
  expect(unreadable.message).toMatch(/^--kubeconfig-file: \/nowhere\/kubeconfig cannot be read: ENOENT\. Give/);
});
