/** `canalctl test` in a cluster whose network is a function: what it says of one that is well, and of what is not. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NAMESPACES, PODS } from '@canal/store-port';
import { afterAll, describe, expect, test } from 'vitest';
import { type Ran, runCommand } from '../admin/run-command.fixture.ts';
import { EXIT } from '../exit-code.ts';
import { INTERRUPTED } from '../next-step.ts';
import { safeJson } from '../printable.ts';
import { type FakeCluster, type FakeNetwork, SERVICE_IPS, startFakeCluster } from './cluster.fixture.ts';
import type { DialAnswer } from './dial.ts';
import type { TestResult } from './test-result.ts';

const directory = mkdtempSync(join(tmpdir(), 'canal-test-'));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;
const SILENT: DialAnswer = { ok: false, why: 'silent', message: 'no answer within 4 s' };

async function runTestIn(cluster: FakeCluster, words: readonly string[] = [], signal?: AbortSignal): Promise<Ran> {
  const kubeconfig = join(directory, `kubeconfig-${files++}`);
  const config = {
    'current-context': 'c',
    clusters: [{ name: 'c', cluster: { server: cluster.url } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    users: [{ name: 'u', user: { token: cluster.token } }],
  };
  writeFileSync(kubeconfig, safeJson(config));
  const line = ['test', '--kubeconfig', kubeconfig, '--image', 'registry.example/canal:1', ...words];
  return await runCommand(line, signal === undefined ? {} : { signal });
}

async function judged(
  network: FakeNetwork,
  words: readonly string[] = [],
): Promise<Ran & { tests: readonly TestResult[] }> {
  await using cluster = await startFakeCluster(['n1', 'n2'], network);
  const ran = await runTestIn(cluster, ['-o', 'json', ...words]);
  expect(await cluster.namespaces()).toEqual([]);
  return { ...ran, tests: (JSON.parse(ran.out) as { readonly tests: readonly TestResult[] }).tests };
}

const failed = (tests: readonly TestResult[]): readonly string[] =>
  tests.filter(({ verdict }) => verdict === 'fail').map(({ id }) => id);

test('a network that is well: every way in each family, and nothing is left', async () => {
  const { exitCode, tests } = await judged({});
  expect(tests.filter(({ verdict }) => verdict === 'fail')).toEqual([]);
  expect(exitCode).toBe(EXIT.ok);
  const ids = tests.filter(({ verdict }) => verdict === 'ok').map(({ id }) => id);
  expect(ids).toEqual([
    'start/n1',
    'node-to-pod/n1',
    'start/n2',
    'node-to-pod/n2',
    ...['n1/n1', 'n2/n2', 'n1/n2', 'n2/n1'].flatMap((way) => [`pod-to-pod/${way}/ipv4`, `pod-to-pod/${way}/ipv6`]),
    ...['n1/n1', 'n1/n2', 'n2/n1', 'n2/n2'].map((way) => `pod-to-node/${way}/ipv4`),
    ...['n1/n1', 'n2/n2', 'n1/n2', 'n2/n1'].flatMap((way) => [
      `large-packets/${way}/ipv4`,
      `large-packets/${way}/ipv6`,
    ]),
    ...['n1', 'n2'].flatMap((node) => [`service/${node}/ipv4`, `service/${node}/ipv6`]),
    ...['n1/n1', 'n2/n2', 'n1/n2', 'n2/n1'].flatMap((way) => [
      `policy/isolates/${way}/ipv4`,
      `policy/isolates/${way}/ipv6`,
    ]),
    ...['n1/n1', 'n1/n2'].flatMap((way) => [`policy/allows/${way}/ipv4`, `policy/allows/${way}/ipv6`]),
    'policy/keeps-other-ports-out/n1/n1/ipv4',
    'policy/keeps-other-ports-out/n1/n1/ipv6',
    'policy/keeps-others-out/n2/n2/ipv4',
    'policy/keeps-others-out/n2/n2/ipv6',
    'policy/keeps-other-ports-out/n1/n2/ipv4',
    'policy/keeps-other-ports-out/n1/n2/ipv6',
    'policy/keeps-others-out/n2/n1/ipv4',
    'policy/keeps-others-out/n2/n1/ipv6',
  ]);
  expect(tests.find(({ id }) => id === 'large-packets/n1/n2/ipv4')?.found).toBe(
    'UDP of 1450 bytes, TCP 256 KiB and back',
  );
  // This cluster has no "kubernetes" service and no DNS: said, and no failure.
  expect(tests.filter(({ verdict }) => verdict === 'skip').map(({ id }) => id)).toEqual([
    'service/n1/api-server',
    'service/n2/api-server',
    'dns',
  ]);
});

const isApart = (from: string, host: string): boolean => from === 'n1' && /[.:]13$/.test(host);

// At once: some wait for what does not come.
describe.concurrent('what is not well is told, where it is, with the next step', () => {
  test.each<[string, FakeNetwork, readonly string[], string]>([
    [
      'one way between nodes',
      { answer: (request, { node }, well) => ('host' in request && isApart(node, request.host) ? SILENT : well) },
      ['pod-to-pod/n1/n2/ipv4', 'pod-to-pod/n1/n2/ipv6'],
      'UDP port 8472',
    ],
    [
      'packets of the MTU',
      { answer: (request, _from, well) => (request.kind === 'udp' && request.filling === true ? SILENT : well) },
      ['n1/n1', 'n2/n2', 'n1/n2', 'n2/n1'].flatMap((way) => [`large-packets/${way}/ipv4`, `large-packets/${way}/ipv6`]),
      'lower MTU in net-conf.json',
    ],
    [
      'translated addresses',
      {
        answer: (request, { node }, well) =>
          request.kind === 'tcp' && isApart(node, request.host) && well.ok ? { ...well, seen: '172.30.0.11' } : well,
      },
      ['pod-to-pod/n1/n2/ipv4', 'pod-to-pod/n1/n2/ipv6'],
      'something translates addresses of pods',
    ],
    [
      'a service that one node does not have',
      {
        answer: (request, { node }, well) =>
          node === 'n2' && 'host' in request && request.host === SERVICE_IPS[0] ? SILENT : well,
      },
      ['service/n2/ipv4'],
      'kube-proxy',
    ],
  ])('%s', { timeout: 60_000 }, async (_name, network, ids, text) => {
    const { exitCode, tests } = await judged(network);
    expect([exitCode, failed(tests)]).toEqual([EXIT.unhealthy, ids]);
    const [first] = tests.filter(({ verdict }) => verdict === 'fail');
    expect(`${first?.cause} ${first?.next}`).toContain(text);
  });

  test('policies that nobody enforces; what would show nothing then is left out', { timeout: 60_000 }, async () => {
    const { exitCode, tests } = await judged({
      answer: (request, from, well) =>
        well.ok || !('host' in request)
          ? well
          : { ok: true, tookMs: 1, pod: podAt(request.host), seen: from.ips[0] ?? '' },
    });
    expect([exitCode, failed(tests)]).toEqual([
      EXIT.unhealthy,
      ['n1/n1', 'n2/n2', 'n1/n2', 'n2/n1'].flatMap((way) => [
        `policy/isolates/${way}/ipv4`,
        `policy/isolates/${way}/ipv6`,
      ]),
    ]);
    expect(tests.find(({ id }) => id === 'policy/allows/n1/n2/ipv4')).toMatchObject({ verdict: 'skip' });
  });

  test('a node whose pods do not start; the others are judged', async () => {
    const { exitCode, tests } = await judged({
      podStatus: ({ node }) =>
        node === 'n2' ? { phase: 'Failed', reason: 'OutOfmemory', message: 'Node has no \u001b[2Jmemory' } : undefined,
    });
    expect([exitCode, failed(tests)]).toEqual([EXIT.unhealthy, ['start/n2']]);
    expect(tests.find(({ id }) => id === 'start/n2')?.cause).toContain('OutOfmemory: Node has no');
    expect(tests.find(({ id }) => id === 'pod-to-pod/n1/n1/ipv4')?.verdict).toBe('ok');
  });

  test('a node that does not reach its pods', { timeout: 60_000 }, async () => {
    const { tests } = await judged({
      podStatus: ({ node, ips }) =>
        node === 'n1' ? { phase: 'Running', podIPs: ips.map((ip) => ({ ip })), conditions: [] } : undefined,
    });
    expect(failed(tests)).toEqual(['node-to-pod/n1']);
  });
});

function podAt(host: string): string {
  return /[.:]13$/.test(host) ? 'server-2' : 'server-1';
}

test('pods are as "restricted" wants them, of the image that is named, on the nodes that are named', async () => {
  await using cluster = await startFakeCluster(['n1', 'n2']);
  const { exitCode } = await runTestIn(cluster, ['--node', 'n2']);
  expect(exitCode).toBe(EXIT.ok);
  expect(cluster.made).toHaveLength(2);
  for (const pod of cluster.made) {
    expect(pod).toMatchObject({
      spec: {
        nodeName: 'n2',
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
        containers: [
          {
            image: 'registry.example/canal:1',
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          },
        ],
      },
    });
    expect(safeJson(pod)).not.toMatch(/hostNetwork|hostPath|privileged": true/);
  }
});

test('JUnit XML beside the table', async () => {
  await using cluster = await startFakeCluster(['n1'], {
    podStatus: () => ({ phase: 'Failed', message: 'it is "<&>" \u0007' }),
  });
  const junit = join(directory, 'canal.xml');
  const { exitCode, out } = await runTestIn(cluster, ['--junit', junit]);
  expect([exitCode, out]).toEqual([
    EXIT.unhealthy,
    expect.stringMatching(/^fail +pods start +0 of 1\nfail +pods start, on n1 +no\n +cause: /),
  ]);
  const xml = readFileSync(junit, 'utf8');
  expect(xml).toMatch(
    /<testsuite name="canalctl test" tests="\d+" failures="1" errors="0" skipped="\d+" time="[\d.]+" timestamp="/,
  );
  expect(xml).toContain('it is &quot;&lt;&amp;&gt;&quot; \u{fffd}');
  expect((await runTestIn(cluster, ['--junit', join(directory, 'none', 'x.xml')])).exitCode).toBe(EXIT.usage);
});

test('an interrupt takes everything away', async () => {
  const stop = new AbortController();
  await using cluster = await startFakeCluster(['n1'], {
    answer: (_request, _from, well) => {
      stop.abort(new Error(INTERRUPTED));
      return well;
    },
  });
  const { exitCode, err } = await runTestIn(cluster, [], stop.signal);
  expect([exitCode, err]).toEqual([EXIT.failed, expect.stringContaining('interrupted')]);
  expect(cluster.made).toHaveLength(2);
  expect(await cluster.namespaces()).toEqual([]);
});

test('what a killed run left goes, what runs beside this one stays', async () => {
  let ageMs = 11 * 60_000;
  await using cluster = await startFakeCluster(['n1'], { now: () => new Date(Date.now() - ageMs) });
  const labels = { 'canal.io/purpose': 'self-test' };
  await cluster.store.create(NAMESPACES, { metadata: { name: 'canal-test-left', labels } });
  await cluster.store.create(NAMESPACES, { metadata: { name: 'canal-test-of-somebody' } });
  ageMs = 0;
  await cluster.store.create(NAMESPACES, { metadata: { name: 'canal-test-beside', labels } });
  const { err } = await runTestIn(cluster);
  expect(err).toContain('warning: namespace canal-test-left was left by a run that was killed');
  expect(await cluster.namespaces()).toEqual(['canal-test-beside', 'canal-test-of-somebody']);
});

test.each([
  ['no namespace', /^POST \/api\/v1\/namespaces$/, 'not for you'],
  ['no pods', /^POST .*\/pods$/, 'not for you'],
  ['no port-forward', /portforward$/, 'not for you'],
])('a user who may not make %s is told, and nothing is left', async (_name, refuse, text) => {
  await using cluster = await startFakeCluster(['n1'], { refuse });
  const { exitCode, err } = await runTestIn(cluster);
  expect([exitCode, err]).toEqual([EXIT.failed, expect.stringContaining(text)]);
  expect(err).toContain('use a kubeconfig whose user may do this');
  expect(await cluster.namespaces()).toEqual([]);
});

test.each([
  [['--node', 'n9'], 'there is no node n9'],
  [['--timeout', '5'], 'no number of seconds within 20..120'],
  [['--nodes', '0'], 'no number within 1..10'],
])('%j', async (words, text) => {
  await using cluster = await startFakeCluster(['n1']);
  const { exitCode, err } = await runTestIn(cluster, words);
  expect([exitCode, err]).toEqual([EXIT.usage, expect.stringContaining(text)]);
  expect(await cluster.store.list(PODS)).toEqual([]);
});
