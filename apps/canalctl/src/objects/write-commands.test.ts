/** `apply`, `delete` and `patch` against a Kubernetes of the test's own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEmbeddedServer } from '@canal/store-embedded';
import { createKubeStore, fixedCredentials, Secret } from '@canal/store-kube';
import { CONFIG_MAPS, NETWORK_POLICIES, PODS } from '@canal/store-port';
import { serve } from 'bun';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Ran, runCommand } from '../admin/run-command.fixture.ts';
import { systemClock } from '../cluster/connect-cluster.ts';
import { EXIT } from '../exit-code.ts';
import { readWarnings } from './api-client.ts';

const directory = mkdtempSync(join(tmpdir(), 'canal-writes-'));
const kubernetes = createEmbeddedServer({ tokens: [{ token: 'own', user: 'ann', groups: ['system:masters'] }] });
const { url } = kubernetes.listen({ hostname: '127.0.0.1', port: 0 });
const store = createKubeStore({
  connection: { baseUrl: url, credentials: fixedCredentials({ token: new Secret('own') }) },
  clock: systemClock(),
});
/** What another API server answers, and what it was asked. */
let answer: () => Response = () => Response.json({});
const asked: { method: string; path: string; query: URLSearchParams; type: string | null; body: string }[] = [];
const other = serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: async (request) => {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === '/apis/networking.k8s.io/v1') {
      const resources = [{ name: 'networkpolicies', kind: 'NetworkPolicy', namespaced: true }];
      return Response.json({ groupVersion: 'networking.k8s.io/v1', resources });
    }
    if (request.method === 'GET') return Response.json({ kind: 'Status', reason: 'NotFound' }, { status: 404 });
    const [method, type, body] = [request.method, request.headers.get('content-type'), await request.text()];
    asked.push({ method, path: pathname, query: searchParams, type, body });
    return answer();
  },
});
afterAll(async () => {
  rmSync(directory, { recursive: true });
  await other.stop(true);
  await kubernetes.close();
});

function file(name: string, text: string): string {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
}

function kubeconfig(server: string): string {
  const config = {
    'current-context': 'c',
    clusters: [{ name: 'c', cluster: { server } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u', namespace: 'shop' } }],
    users: [{ name: 'u', user: { token: 'own' } }],
  };
  return file(`kubeconfig-${new URL(server).port}`, JSON.stringify(config));
}

const run = (...words: readonly string[]): Promise<Ran> => runCommand([...words, '--kubeconfig', kubeconfig(url)]);
const elsewhere = (...words: readonly string[]): Promise<Ran> =>
  runCommand([...words, '--kubeconfig', kubeconfig(`http://127.0.0.1:${other.port}`)]);
const done = (out: string): Ran => ({ exitCode: EXIT.ok, out, err: '' });

const NAME = 'networkpolicy.networking.k8s.io';
const policy = (name: string, spec: string): string => `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: ${name} }
spec: ${spec}
`;
const CLOSED = '{ podSelector: {}, policyTypes: [Ingress] }';

beforeAll(async () => {
  await store.create(
    { ...PODS, namespaced: false, plural: 'namespaces', kind: 'Namespace' },
    { metadata: { name: 'shop' } },
  );
});

describe('apply', () => {
  test('made, left alone, changed, in the namespace of the context', async () => {
    const one = file('one.yaml', policy('one', CLOSED));
    expect(await run('apply', '-f', one)).toEqual(done(`${NAME}/one created\n`));
    expect(await run('apply', '-f', one)).toEqual(done(`${NAME}/one unchanged\n`));
    const opened = file('one.yaml', policy('one', '{ podSelector: {}, ingress: [{}] }'));
    expect(await run('apply', '-f', opened, '--dry-run')).toEqual(done(`${NAME}/one configured (server dry run)\n`));
    expect(await store.get(NETWORK_POLICIES, 'one', 'shop')).not.toHaveProperty('spec.ingress');
    expect(await run('apply', '-f', opened)).toEqual(done(`${NAME}/one configured\n`));
    expect(await store.get(NETWORK_POLICIES, 'one', 'shop')).toHaveProperty('spec.ingress', [{}]);
  });

  test('a trial makes nothing', async () => {
    const trial = file('trial.yaml', policy('trial', CLOSED));
    const created = done(`${NAME}/trial created (server dry run)\n`);
    expect(await run('apply', '-f', trial, '--dry-run')).toEqual(created);
    expect(await run('apply', '-f', trial, '--dry-run=server')).toEqual(created);
    expect(await store.get(NETWORK_POLICIES, 'trial', 'shop')).toBeUndefined();
  });

  test('what is wrong is told with its line, and refused; --validate=warn leaves it to the API server', async () => {
    const bad = file('bad.yaml', `${policy('good', CLOSED)}---${policy('bad', '{ podSelector: {}, ingres: [{}] }')}`);
    const refused = await run('apply', '-f', bad);
    expect(refused).toMatchObject({ exitCode: EXIT.usage, out: '' });
    expect(refused.err).toMatch(/bad\.yaml:10: error: NetworkPolicy shop\/bad: spec\.ingres is no field/);
    expect(refused.err).toMatch(/error: 1 error in what is to be applied; nothing was changed\n {2}.*--validate=warn/);
    const warned = await run('apply', '-f', bad, '--validate=warn');
    // This one knows no unknown fields.
    expect(warned).toMatchObject({ exitCode: EXIT.failed, out: '' });
    expect(warned.err).toMatch(/bad\.yaml:10: error: [^]*bad\.yaml:7: 400 .*ingres.*nothing was changed/);
    expect(await store.get(NETWORK_POLICIES, 'good', 'shop')).toBeUndefined();
  });

  test.each<[string, readonly string[], RegExp]>([
    ['a kind that is not served', ['-f', 'KIND'], /does not serve Gadget of example\.org\/v1\n.*CustomResource/],
    ['a file that is not there', ['-f', '/nowhere.yaml'], /\/nowhere\.yaml cannot be read/],
    ['--force-conflicts alone', ['-f', 'KIND', '--force-conflicts'], /is for --server-side/],
    ['an API server that does not merge', ['-f', 'ONE', '--server-side'], /leave out --server-side/],
  ])('%s', async (_name, words, says) => {
    const kind = file('kind.yaml', 'apiVersion: example.org/v1\nkind: Gadget\nmetadata: { name: g }\n');
    const one = file('one.yaml', policy('one', CLOSED));
    const names: Readonly<Record<string, string>> = { KIND: kind, ONE: one };
    const { exitCode, err } = await run('apply', ...words.map((word) => names[word] ?? word));
    expect([exitCode, err]).toEqual([EXIT.usage, expect.stringMatching(says)]);
  });

  test('no file', async () => {
    expect((await run('apply')).exitCode).toBe(EXIT.usage);
  });

  describe('of an API server that merges', () => {
    const one = file('merged.yaml', policy('one', CLOSED));
    const applied = { kind: 'NetworkPolicy', metadata: { name: 'one' } };

    test('is asked as kubectl asks it; its warnings are told', async () => {
      asked.length = 0;
      const headers = { warning: '299 - "unknown \\"field\\" \u001b[2J", 299 - "two"' };
      answer = () =>
        Response.json(applied, { status: 201, headers: { warning: headers.warning.replace('\u001b', '') } });
      const { exitCode, out, err } = await elsewhere('apply', '-f', one, '--server-side', '--validate=warn');
      expect([exitCode, out]).toEqual([EXIT.ok, `${NAME}/one created\n`]);
      expect(err).toContain('merged.yaml:2: warning: unknown "field" [2J\n');
      expect(err).toContain('merged.yaml:2: warning: two\n');
      // Tried out, then written.
      expect(asked.map(({ method, path, type, query }) => [method, path, type, Object.fromEntries(query)])).toEqual(
        [{ dryRun: 'All' }, {}].map((dry) => [
          'PATCH',
          '/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/one',
          'application/apply-patch+yaml',
          { ...dry, fieldManager: 'canalctl', fieldValidation: 'Warn', force: 'false' },
        ]),
      );
      expect(JSON.parse(asked[0]?.body ?? '')).toEqual({
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: 'one', namespace: 'shop' },
        spec: { podSelector: {}, policyTypes: ['Ingress'] },
      });
    });

    test('fields of others are theirs, until they are taken over', async () => {
      asked.length = 0;
      const message =
        'Apply failed with 1 conflict: conflict with "kubectl" using networking.k8s.io/v1: .spec.podSelector';
      answer = () => Response.json({ kind: 'Status', reason: 'Conflict', message }, { status: 409 });
      const { exitCode, err } = await elsewhere('apply', '-f', one, '--server-side');
      expect([exitCode, err]).toEqual([
        EXIT.exists,
        expect.stringMatching(/conflict with "kubectl".*\n.*--force-conflicts/),
      ]);
      answer = () => Response.json(applied);
      expect((await elsewhere('apply', '-f', one, '--server-side', '--force-conflicts')).exitCode).toBe(EXIT.ok);
      expect(asked.map(({ query }) => query.get('force'))).toEqual(['false', 'true', 'true']);
    });
  });
});

describe('patch', () => {
  const data = async (): Promise<unknown> => (await store.get(CONFIG_MAPS, 'c', 'shop'))?.['data'];

  test('of each type, and what changes nothing', async () => {
    await store.create(CONFIG_MAPS, { metadata: { name: 'c', namespace: 'shop' }, data: { a: '1' } });
    expect(await run('patch', 'cm', 'c', '-p', '{"data":{"a":"2"}}')).toEqual(done('configmap/c patched\n'));
    expect(await run('patch', 'cm', 'c', '-p', 'data: {a: "2"}')).toEqual(done('configmap/c patched (no change)\n'));
    expect(await run('patch', 'cm', 'c', '--type', 'merge', '-p', '{"data":{"b":"3"}}', '--dry-run')).toEqual(
      done('configmap/c patched (server dry run)\n'),
    );
    expect(await data()).toEqual({ a: '2' });
    const operations = file('operations.json', '[{"op":"add","path":"/data/c","value":"4"}]');
    expect((await run('patch', 'configmap', 'c', '--type=json', '--patch-file', operations)).exitCode).toBe(EXIT.ok);
    expect(await data()).toEqual({ a: '2', c: '4' });
  });

  test('labels of a pod', async () => {
    const containers = [{ name: 'c', image: 'i' }];
    await store.create(PODS, { metadata: { name: 'p', namespace: 'shop', labels: { a: '1' } }, spec: { containers } });
    expect((await run('patch', 'pod', 'p', '-p', '{"metadata":{"labels":{"b":"2"}}}')).exitCode).toBe(EXIT.ok);
    expect((await store.get(PODS, 'p', 'shop'))?.metadata.labels).toEqual({ a: '1', b: '2' });
  });

  test.each<[string, readonly string[], number, RegExp]>([
    ['no patch', ['cm', 'c'], EXIT.usage, /there is no patch/],
    ['what is no object', ['cm', 'c', '-p', '[]'], EXIT.usage, /the patch is no object/],
    ['what is no list', ['cm', 'c', '-p', '{}', '--type', 'json'], EXIT.usage, /the patch is no list/],
    ['what is neither JSON nor YAML', ['cm', 'c', '-p', '{"a'], EXIT.usage, /neither JSON nor YAML/],
    ['no such kind', ['gadget', 'c', '-p', '{}'], EXIT.usage, /knows no "gadget"\n.*configmaps/],
    ['no such object', ['cm', 'nobody', '-p', '{}'], EXIT.notFound, /"nobody" not found/],
    [
      'a field that is not known',
      ['cm', 'c', '-p', '{"dta":{}}'],
      EXIT.failed,
      /^error: PATCH \/api\/v1\/namespaces\/shop\/configmaps\/c: 4\d\d .*dta/,
    ],
  ])('%s', async (_name, words, exitCode, says) => {
    const ran = await run('patch', ...words);
    expect([ran.exitCode, ran.out, ran.err]).toEqual([exitCode, '', expect.stringMatching(says)]);
  });
});

describe('delete', () => {
  const make = async (...names: readonly string[]): Promise<void> => {
    for (const name of names) await store.create(CONFIG_MAPS, { metadata: { name, namespace: 'shop' } });
  };
  const isThere = async (name: string): Promise<boolean> => (await store.get(CONFIG_MAPS, name, 'shop')) !== undefined;

  test('by name, after a trial', async () => {
    await make('d1', 'd2');
    expect(await run('delete', 'cm', 'd1', 'd2', '--dry-run')).toEqual(
      done('configmap/d1 deleted (server dry run)\nconfigmap/d2 deleted (server dry run)\n'),
    );
    expect(await isThere('d1')).toBe(true);
    expect(await run('delete', 'cm', 'd1', 'd2')).toEqual(done('configmap/d1 deleted\nconfigmap/d2 deleted\n'));
    expect(await isThere('d1')).toBe(false);
  });

  test('one that is not there leaves the others to be deleted', async () => {
    await make('d3');
    const { exitCode, out, err } = await run('delete', 'cm', 'nobody', 'd3');
    expect([exitCode, out]).toEqual([EXIT.notFound, 'configmap/d3 deleted\n']);
    expect(err).toMatch(/"nobody" not found/);
    expect(await run('delete', 'cm', 'nobody', '--ignore-not-found')).toEqual(done(''));
  });

  test('those of a file, the last first', async () => {
    const map = (name: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\n`;
    const both = file('both.yaml', `${map('d4')}---\n${map('d5')}`);
    await make('d4', 'd5');
    expect(await run('delete', '-f', both)).toEqual(done('configmap/d5 deleted\nconfigmap/d4 deleted\n'));
  });

  test.each<[string, readonly string[], RegExp]>([
    ['nothing', [], /nothing is named/],
    ['a kind alone', ['cm'], /nothing is named/],
    ['a kind and a file', ['cm', '-f', 'x'], /exclude each other/],
  ])('%s', async (_name, words, says) => {
    const ran = await run('delete', ...words);
    expect([ran.exitCode, ran.err]).toEqual([EXIT.usage, expect.stringMatching(says)]);
  });
});

test('a lab that is not there', async () => {
  const ran = await runCommand(['delete', 'pod', 'x', '--lab', 'nolab', '--state-root', directory]);
  expect([ran.exitCode, ran.err]).toEqual([EXIT.notFound, expect.stringContaining('there is no lab "nolab" here')]);
});

test.each<[string | null, readonly string[]]>([
  [null, []],
  ['', []],
  ['299 - "one"', ['one']],
  ['299 kube "a \\"b\\"", 299 - "c, 299"', ['a "b"', 'c, 299']],
  ['199 - "other"', []],
])('warnings of %j', (header, expected) => {
  expect(readWarnings(header)).toEqual(expected);
});
