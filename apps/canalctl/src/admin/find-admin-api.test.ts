/** How commands find the admin API: by its URL, in a lab, and in a cluster. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '@canal/testing';
import { safeJson } from '../printable.ts';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { EXIT } from '../exit-code.ts';
import { answersOf, WELL } from '../status/cluster.fixture.ts';
import { startAdminApi, TOKEN } from './admin-api.fixture.ts';
import { isMadeFor, openClusterAdminApi } from './cluster-admin-server.ts';
import { type KubeWorld, startKubeApi } from './kube-api.fixture.ts';
import { type Ran, runCommand } from './run-command.fixture.ts';

const RENEW_MS = 10;
const admin = startAdminApi(answersOf(WELL));
const directory = mkdtempSync(join(tmpdir(), 'canal-find-'));
afterAll(async () => {
  rmSync(directory, { recursive: true });
  await admin.close();
});
afterEach(() => vi.unstubAllEnvs());

const ipam = (...words: readonly string[]): Promise<Ran> => runCommand(['ipam', 'show', '-o', 'name', ...words]);
const FOUND = { exitCode: EXIT.ok, err: '', out: '10.244.1.0/24\n10.244.2.0/24\n10.244.3.0/24\n' };
const [, , , tokenFile, , caFile] = admin.flags as [string, string, string, string, string, string];

function fileOf(name: string, text: string): string {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
}

describe('by its URL', () => {
  test('flags, or variables', async () => {
    expect(await ipam(...admin.flags)).toEqual(FOUND);
    vi.stubEnv('CANALCTL_ADMIN_SERVER', admin.url);
    vi.stubEnv('CANALCTL_ADMIN_TOKEN_FILE', tokenFile);
    vi.stubEnv('CANALCTL_ADMIN_CA_FILE', caFile);
    expect(await ipam()).toEqual(FOUND);
  });

  test.each([
    ['http://127.0.0.1:1', 'TLS alone'],
    ['https://127.0.0.1/v1', 'no path'],
    ['https://user@127.0.0.1', 'no path'],
    ['127.0.0.1:9443', 'such as https://'],
    ['', 'such as https://'],
  ])('%j is refused', async (url, hint) => {
    const { exitCode, err } = await ipam('--admin-server', url, '--admin-token-file', tokenFile);
    expect([exitCode, err]).toEqual([EXIT.usage, expect.stringContaining(hint)]);
  });

  test('a token is needed, and what is in a file that has none is not told', async () => {
    expect(await ipam('--admin-server', admin.url)).toMatchObject({
      exitCode: EXIT.usage,
      err: expect.stringContaining('--admin-token-file FILE') as string,
    });
    for (const [file, text] of [
      [fileOf('two', 'first-part second-part'), 'there is no token in'],
      [fileOf('empty', '\n'), 'there is no token in'],
      [join(directory, 'absent'), 'cannot be read: ENOENT'],
    ] as const) {
      const { exitCode, err } = await ipam('--admin-server', admin.url, '--admin-token-file', file);
      expect([exitCode, err]).toEqual([EXIT.usage, expect.stringContaining(text)]);
      expect(err).not.toContain('part');
    }
  });

  test.each<[string, readonly string[], number, string]>([
    [
      'another token',
      ['--admin-token-file', 'BAD', '--admin-ca-file', caFile],
      EXIT.failed,
      'give another with --admin-token-file',
    ],
    ['no authority', ['--admin-token-file', tokenFile], EXIT.failed, '--admin-ca-file'],
    [
      'a file that is no certificate',
      ['--admin-token-file', tokenFile, '--admin-ca-file', tokenFile],
      EXIT.usage,
      'in PEM',
    ],
  ])('%s', async (_name, words, exitCode, hint) => {
    const bad = fileOf('bad', 'bad-token');
    const ran = await ipam('--admin-server', admin.url, ...words.map((word) => (word === 'BAD' ? bad : word)));
    expect([ran.exitCode, ran.err]).toEqual([exitCode, expect.stringContaining(hint)]);
  });

  test('nobody there', async () => {
    const { exitCode, err } = await ipam('--admin-server', 'https://127.0.0.1:1', '--admin-token-file', tokenFile);
    expect([exitCode, err]).toEqual([
      EXIT.failed,
      expect.stringContaining('see that it runs: "kubectl -n canal-system get pods'),
    ]);
  });
});

describe('of a lab', () => {
  test('its directory says where, who and whom to trust', async () => {
    const files = join(directory, 'mylab', 'admin-api');
    mkdirSync(files, { recursive: true });
    for (const [name, text] of [
      ['address', `${admin.url}\n`],
      ['token', `${TOKEN}\n`],
      ['ca.pem', admin.caPem],
    ] as const) {
      expect(await ipam('--lab', 'mylab', '--state-root', directory)).toMatchObject({
        exitCode: EXIT.failed,
        err: expect.stringContaining('the lab "mylab" has no admin API\n  "canalctl lab list"') as string,
      });
      writeFileSync(join(files, name), text);
    }
    expect(await ipam('--lab', 'mylab', '--state-root', directory)).toEqual(FOUND);
  });

  test('a name that leads elsewhere', async () => {
    expect((await ipam('--lab', '../x', '--state-root', directory)).exitCode).toBe(EXIT.usage);
  });
});

describe('in a cluster', () => {
  const PODS = '/api/v1/namespaces/canal-system/pods';
  const AUTHORITY = '/api/v1/namespaces/canal-system/configmaps/canal-admin-api-authority';
  const pod = (name: string, ready: string, more: object = {}) => ({
    metadata: { name, ...more },
    spec: { containers: [{ ports: [{ name: 'https', containerPort: 9443 }] }] },
    status: { conditions: [{ type: 'Ready', status: ready }] },
  });
  const objects = {
    [PODS]: { items: [pod('old', 'True', { deletionTimestamp: 'now' }), pod('a', 'False'), pod('b', 'True')] },
    [AUTHORITY]: { data: { 'ca.crt': admin.caPem } },
  };
  const kube = startKubeApi({ objects, token: TOKEN, pod: { port: admin.port } });
  afterAll(() => kube.close());
  beforeEach(() => kube.use({}));

  const inCluster = (token?: string, ...words: readonly string[]): Promise<Ran> => {
    const config = {
      'current-context': 'c',
      clusters: [{ name: 'c', cluster: { server: kube.url } }],
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      users: [{ name: 'u', user: token === undefined ? {} : { token } }],
    };
    return ipam('--kubeconfig', fileOf('kubeconfig', safeJson(config)), ...words);
  };
  const jwt = (claims: object): string => `x.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`;

  test('through a port-forward to its pod that is ready, with a token for it alone', async () => {
    expect(await inCluster()).toEqual(FOUND);
    expect(kube.requests).toEqual(
      expect.arrayContaining([
        `GET ${PODS}?labelSelector=k8s-app%3Dcanal-admin-api`,
        `GET ${AUTHORITY}`,
        'POST /api/v1/namespaces/canal-system/serviceaccounts/canal-view/token',
        'audiences ["canal-admin-api"]',
        `GET ${PODS}/b/portforward?ports=9443`,
      ]),
    );
  });

  test("the kubeconfig's token is shown when it is made for the admin API, or when there is no other", async () => {
    await inCluster(jwt({ aud: ['canal-admin-api'] }));
    expect(kube.requests.some((line) => line.endsWith('/token'))).toBe(false);
    const { exitCode } = await inCluster(jwt({ aud: 'https://kubernetes.default.svc' }));
    expect([exitCode, kube.requests.some((line) => line.endsWith('/token'))]).toEqual([EXIT.ok, true]);
    kube.use({ token: 403 });
    expect(await inCluster(TOKEN)).toEqual(FOUND);
    // The admin API does not take it: what is wrong is that there was no better one.
    const { err } = await inCluster('token-of-another');
    expect(err).toContain('error: no token for the admin API: POST');
    expect(err).toContain('create serviceaccounts/token of canal-view');
    expect(err).not.toContain('token-of-another');
  });

  test('the token of a role: that, or an error', async () => {
    expect(await inCluster(undefined, '--as-role', 'operate')).toEqual(FOUND);
    expect(kube.requests).toContain('POST /api/v1/namespaces/canal-system/serviceaccounts/canal-operate/token');
    // One that is made for the admin API has another role, perhaps.
    await inCluster(jwt({ aud: ['canal-admin-api'] }), '--as-role', 'admin');
    expect(kube.requests).toContain('POST /api/v1/namespaces/canal-system/serviceaccounts/canal-admin/token');
    kube.use({ token: 403 });
    const { exitCode, err } = await inCluster(TOKEN, '--as-role', 'admin');
    expect([exitCode, err]).toEqual([
      EXIT.failed,
      expect.stringContaining('create serviceaccounts/token of canal-admin in canal-system'),
    ]);
  });

  test('a command that goes on has a new token before the old one runs out', async () => {
    await inCluster();
    const flags = { kubeconfig: join(directory, 'kubeconfig'), stateRoot: '' };
    const stop = new AbortController();
    const opened = await openClusterAdminApi(flags, 'view', stop.signal, RENEW_MS);
    try {
      expect(opened.server.token()).toBe(TOKEN);
      // One that cannot be had leaves the one there is.
      kube.use({ token: 500 });
      await waitFor('two tries', () => kube.requests.filter((line) => line.endsWith('/token')).length >= 2);
      expect(opened.server.token()).toBe(TOKEN);
      kube.use({ token: 'the-next-one' });
      await waitFor('the next token', () => opened.server.token() === 'the-next-one');
    } finally {
      opened.close();
    }
  });

  test('a token from a file', async () => {
    kube.use({ token: 500 });
    expect(await inCluster(undefined, '--admin-token-file', tokenFile)).toEqual(FOUND);
  });

  test.each<[string, Partial<KubeWorld>, string]>([
    ['no pod', { objects: { ...objects, [PODS]: { items: [] } } }, 'has no pod of the admin API'],
    [
      'none ready',
      { objects: { ...objects, [PODS]: { items: [pod('a', 'False')] } } },
      'the admin API is not ready: 1 pods',
    ],
    ['no authority', { objects: { [PODS]: objects[PODS] } }, 'needs --admin-ca-file'],
    ['an empty one', { objects: { ...objects, [AUTHORITY]: {} } }, 'does not say whom to trust'],
    [
      'another authority',
      { objects: { ...objects, [AUTHORITY]: { data: { 'ca.crt': otherAuthority() } } } },
      'has a new certificate',
    ],
    ['no service account', { token: 404 }, 'create serviceaccounts/token'],
    ['may not list pods', { objects: { [PODS]: 403 } }, 'use a kubeconfig whose user may do this'],
    ['may not forward ports', { pod: { status: 403 } }, 'portforward?ports=9443: 403 it is Forbidden'],
    [
      'nobody listens in the pod',
      { pod: { error: 'connection refused' } },
      'to pod canal-system/b, port 9443: connection refused',
    ],
    ['a way that breaks', { pod: { port: 1 } }, 'see that it runs'],
  ])('%s', async (_name, world, text) => {
    kube.use(world);
    const { exitCode, err } = await inCluster();
    expect([exitCode, err]).toEqual([EXIT.failed, expect.stringContaining(text)]);
  });

  function otherAuthority(): string {
    const other = startAdminApi({});
    void other.close();
    return other.caPem;
  }
});

test.each([
  ['', false],
  ['opaque', false],
  ['a.b.c', false],
  [`a.${Buffer.from('{"aud":"x"}').toString('base64url')}.c`, true],
  [`a.${Buffer.from('{"aud":["y","x"]}').toString('base64url')}.c`, true],
  [`a.${Buffer.from('{"aud":["y"]}').toString('base64url')}.c`, false],
])('whether %j is made for x', (token, isFor) => {
  expect(isMadeFor(token, 'x')).toBe(isFor);
});
