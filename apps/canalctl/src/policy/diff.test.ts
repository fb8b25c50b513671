/** `policy diff` on files, and against an API server of the test's own. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEmbeddedServer, type EmbeddedServer } from '@canal/store-embedded';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Outcome } from '../command-context.ts';
import { createProgram } from '../program.ts';
import { reportError } from '../report-error.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'canalctl-diff-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

async function run(args: readonly string[]): Promise<{ exitCode: number; out: string; err: string }> {
  const text = { out: '', err: '' };
  const terminal = {
    live: false,
    out: (part: string) => void (text.out += part),
    err: (part: string) => void (text.err += part),
  };
  const outcome: Outcome = { exitCode: 0 };
  try {
    const context = { terminal, signal: new AbortController().signal, outcome };
    await createProgram(context).parseAsync(['policy', 'diff', ...args], { from: 'user' });
    return { ...text, exitCode: outcome.exitCode };
  } catch (error) {
    const exitCode = await reportError(terminal, error, outcome.failure);
    return { ...text, exitCode };
  }
}

let files = 0;
function file(text: string): string {
  const path = join(directory, `${files++}.yaml`);
  writeFileSync(path, text);
  return path;
}

const pod = (name: string, ip: string): string =>
  `{ apiVersion: v1, kind: Pod, metadata: { name: ${name}, namespace: shop, labels: { app: ${name} } }, spec: { nodeName: n1, containers: [{ name: c, image: i }] }, status: { phase: Running, podIP: ${ip}, podIPs: [{ ip: ${ip} }] } }\n---\n`;
const PODS = pod('web', '10.1.0.1') + pod('db', '10.1.0.2');
const NAMESPACES =
  '{ apiVersion: v1, kind: Namespace, metadata: { name: shop } }\n---\n{ apiVersion: v1, kind: Namespace, metadata: { name: ops } }\n---\n';
const policy = (name: string, spec: string): string =>
  `{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: ${name}, namespace: shop }, spec: ${spec} }\n---\n`;
const DENY = policy('deny', '{ podSelector: {} }');
const ALLOW = policy(
  'db',
  '{ podSelector: { matchLabels: { app: db } }, ingress: [{ from: [{ podSelector: { matchLabels: { app: web } } }], ports: [{ port: 5432 }] }] }',
);

describe('offline', () => {
  const offline = (before: string, after: string, ...more: string[]): ReturnType<typeof run> =>
    run(['--before', file(before), '-f', file(after), ...more]);

  test('a policy that opens: 1, and what opens', async () => {
    expect(await offline(PODS + NAMESPACES + DENY, ALLOW)).toEqual({
      exitCode: 1,
      err: '',
      out: 'opens   shop/web (1 pod) -> shop/db (1 pod): TCP 5432, by policy shop/db (added)\ncompared: 2 pods of 2 workloads\n',
    });
  });

  test('the same again: 0', async () => {
    expect(await offline(PODS + NAMESPACES + DENY, DENY)).toEqual({
      exitCode: 0,
      err: '',
      out: 'no flow opens or closes\ncompared: 2 pods of 2 workloads\n',
    });
  });

  test('--prune: what -f does not hold goes', async () => {
    expect((await offline(PODS + NAMESPACES + DENY + ALLOW, DENY)).exitCode).toBe(0);
    const { exitCode, out } = await offline(PODS + NAMESPACES + DENY + ALLOW, DENY, '--prune');
    expect(exitCode).toBe(1);
    expect(out).toContain('closes  shop/web (1 pod) -> shop/db (1 pod): TCP 5432, by policy shop/db (removed)\n');
  });

  test('a field that a file no longer names is gone', async () => {
    const both = policy('deny', '{ podSelector: {}, policyTypes: [Ingress, Egress] }');
    const { out } = await offline(
      PODS + NAMESPACES + both,
      policy('deny', '{ podSelector: {}, policyTypes: [Egress] }'),
    );
    expect(out).toMatch(/^opens {3}everything outside -> every pod \(2\): all, by policy shop\/deny \(changed\)$/m);
  });

  test('JSON and YAML are one value', async () => {
    const json = JSON.parse((await offline(PODS + NAMESPACES + DENY, ALLOW, '-o', 'json')).out) as object;
    expect(json).toMatchObject({
      opens: [
        { ports: [{ protocol: 'TCP', first: 5432, last: 5432 }], causes: [{ name: 'shop/db', change: 'added' }] },
      ],
      closes: [],
      compared: { pods: 2 },
    });
    expect(parse((await offline(PODS + NAMESPACES + DENY, ALLOW, '-o', 'yaml')).out)).toEqual(json);
  });

  test('pods that nobody runs yet stand in for themselves, in both states at one address', async () => {
    const bare = PODS.replaceAll(/, status: .*?\] \} \}/g, ' }');
    const { exitCode, out, err } = await offline(bare + DENY, ALLOW);
    expect({ exitCode, out: out.split('\n')[0] }).toEqual({
      exitCode: 1,
      out: 'opens   shop/web (1 pod) -> shop/db (1 pod): TCP 5432, by policy shop/db (added)',
    });
    expect(err).toMatch(
      /^note: pods without an address in the files \(2\)[^\n]*\nnote: the files do not hold the namespaces shop[^\n]*\n$/,
    );
  });

  test('the address that a manifest does not name stays', async () => {
    const moved = PODS.replaceAll(/, status: .*?\] \} \}/g, ' }').replace('app: web', 'app: front');
    const { out, err } = await offline(
      PODS +
        NAMESPACES +
        policy('db', '{ podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { app: web } } }] }] }'),
      moved,
    );
    expect(err).toBe('');
    expect(out).toMatch(/^closes {2}shop\/web \(1 pod\) -> .*, by labels, ports or addresses of shop\/web$/m);
  });

  test('a directory is its files in the order of their names; others are passed over', async () => {
    const path = join(directory, 'many');
    mkdirSync(join(path, 'inside'), { recursive: true });
    writeFileSync(join(path, 'a.yaml'), ALLOW);
    writeFileSync(join(path, 'b.yml'), '# nothing\n');
    writeFileSync(join(path, 'README.md'), '- [not] {yaml');
    writeFileSync(join(path, 'inside', 'c.yaml'), DENY);
    const { exitCode, out } = await run(['--before', file(PODS + NAMESPACES + DENY), '-f', path]);
    expect(exitCode).toBe(1);
    expect(out).toContain('by policy shop/db (added)');
  });

  test('what cannot be read of a policy isolates, and is said with file and line', async () => {
    const { exitCode, err } = await offline(
      PODS + NAMESPACES,
      `# first\n${policy('p', '{ podSelector: { matchLabels: [] } }')}`,
    );
    expect(exitCode).toBe(1);
    expect(err).toMatch(
      /^note: \S+\.yaml:2: spec\.podSelector\.matchLabels is an empty list: expected .*; the policy isolates every pod/,
    );
  });

  test.each<[string, string, RegExp]>([
    [
      'a pod that cannot be read',
      '{ apiVersion: v1, kind: Pod, metadata: { name: x, labels: y } }',
      /\d+\.yaml:1: metadata\.labels is "y": expected/,
    ],
    ['no YAML', 'a: [', /\.yaml: /],
    ['no object', 'hello', /a document is no object/],
  ])('%s: 2, one line with the file, and the next step', async (_name, text, says) => {
    const { exitCode, out, err } = await offline(PODS, text);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
    expect(err).toMatch(says);
    expect(err).toMatch(/^error: .*\n {2}.*\n$/);
  });

  test('what is not about policy is said to be nothing', async () => {
    const { exitCode, err } = await offline(
      PODS + NAMESPACES,
      '{ apiVersion: apps/v1, kind: Deployment, metadata: { name: x } }',
    );
    expect(exitCode).toBe(0);
    expect(err).toBe('note: -f holds nothing that policies ask about: no pod, namespace, policy or node\n');
  });

  test('control characters of others are shown', async () => {
    const { out } = await offline(PODS + NAMESPACES + DENY, ALLOW.replace('name: db,', 'name: "d\\u001b[2J\\nb",'));
    expect(out).toContain('policy shop/d\\u{1b}[2J\\nb (added)');
  });

  test('--before and a cluster exclude each other', async () => {
    const { exitCode, err } = await offline(PODS, DENY, '--context', 'x');
    expect(exitCode).toBe(2);
    expect(err).toContain('--before asks no cluster');
  });
});

describe('against a cluster', () => {
  let server: EmbeddedServer;
  let kubeconfig: string;
  beforeAll(async () => {
    server = createEmbeddedServer({ tokens: [{ token: 'test', user: 'someone' }] });
    const { url } = server.listen({ hostname: '127.0.0.1', port: 0 });
    kubeconfig = join(directory, 'kubeconfig');
    writeFileSync(
      kubeconfig,
      `apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{ name: c, context: { cluster: c, user: u } }]\nclusters: [{ name: c, cluster: { server: "${url}" } }]\nusers: [{ name: u, user: { token: test } }]\n`,
    );
    const send = async (path: string, object: unknown, method = 'POST'): Promise<void> => {
      const type = method === 'POST' ? 'application/json' : 'application/merge-patch+json';
      const headers = { authorization: 'Bearer test', 'content-type': type };
      const response = await fetch(`${url}${path}`, { method, headers, body: JSON.stringify(object) });
      expect([path, response.ok]).toEqual([path, true]);
    };
    for (const name of ['shop', 'ops']) {
      const metadata = { name, labels: { team: name } };
      await send('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata });
    }
    for (const text of PODS.split('---').slice(0, 2)) {
      const object = parse(text) as { metadata: { name: string }; status: object };
      await send('/api/v1/namespaces/shop/pods', object);
      const path = `/api/v1/namespaces/shop/pods/${object.metadata.name}/status`;
      await send(path, { status: object.status }, 'PATCH');
    }
    const path = '/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies';
    for (const text of [
      DENY,
      policy(
        'team',
        '{ podSelector: { matchLabels: { app: db } }, ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: shop } } }] }] }',
      ),
    ]) {
      await send(path, parse(text.replace('---', '')));
    }
  });
  afterAll(() => server.close());

  test('says what applying would open, and changes nothing', async () => {
    const version = server.version();
    const { exitCode, out, err } = await run([
      '-f',
      file(policy('deny', '{ podSelector: {}, ingress: [{}] }')),
      '--kubeconfig',
      kubeconfig,
    ]);
    expect(exitCode).toBe(1);
    expect(err).toBe('reading namespaces, policies, pods and nodes of the cluster\n');
    expect(out).toMatch(/^opens .*by policy shop\/deny \(changed\)$/m);
    expect(server.version()).toBe(version);
  });

  test('labels that the manifest does not name stay as others set them', async () => {
    const { exitCode, out } = await run([
      '-f',
      file('{ apiVersion: v1, kind: Namespace, metadata: { name: shop } }'),
      '--kubeconfig',
      kubeconfig,
    ]);
    expect({ exitCode, out }).toEqual({
      exitCode: 0,
      out: 'no flow opens or closes\ncompared: 2 pods of 2 workloads\n',
    });
    const changed = await run([
      '-f',
      file('{ apiVersion: v1, kind: Namespace, metadata: { name: shop, labels: { team: x } } }'),
      '--kubeconfig',
      kubeconfig,
    ]);
    expect(changed.out).toMatch(/^closes .*by labels of namespace shop$/m);
  });

  test('a cluster that does not answer is 5: 1 is for differences alone', async () => {
    const gone = join(directory, 'gone');
    writeFileSync(gone, 'apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: []\n');
    const { exitCode, out } = await run(['-f', file(DENY), '--kubeconfig', gone]);
    expect({ exitCode, out }).toEqual({ exitCode: 5, out: '' });
  });
});
