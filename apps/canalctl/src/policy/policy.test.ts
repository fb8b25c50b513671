/** `policy` and `flows` against an agent of the test's own, and against files. Over the admin API: real-admin-api.test.ts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AgentAnswer,
  type AgentRequest,
  decodeRequest,
  encodeAnswer,
  type EndpointStatusMessage,
  type FlowRecord,
} from '@canal/agent-protocol';
import type { Explanation, FlowEnd } from '@canal/policy-compile';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Outcome } from '../command-context.ts';
import { createProgram } from '../program.ts';
import { reportError } from '../report-error.ts';

let directory: string;
let socket: string;
let server: Server | undefined;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'canalctl-policy-'));
  socket = join(directory, 'policy.sock');
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});
afterEach(async () => {
  await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
  server = undefined;
});

/** Answers each request as told; `hold` leaves the connection open after that. */
async function agent(
  answers: (request: AgentRequest) => readonly (AgentAnswer | string)[],
  hold = false,
): Promise<AgentRequest[]> {
  const asked: AgentRequest[] = [];
  server = createServer((client) => {
    client.on('error', () => undefined);
    client.once('data', (data) => {
      const request = decodeRequest(data.toString().trimEnd());
      if (!request.ok) throw new Error(request.error);
      asked.push(request.value);
      for (const answer of answers(request.value))
        client.write(typeof answer === 'string' ? answer : encodeAnswer(answer));
      if (!hold) client.end();
    });
  });
  await new Promise<void>((resolve) => server?.listen(socket, resolve));
  return asked;
}

interface Run {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

async function run(
  args: readonly string[],
  signal = new AbortController().signal,
  readerGone = (): boolean => false,
): Promise<Run> {
  const text = { out: '', err: '' };
  const terminal = {
    live: false,
    out: (part: string) => void (text.out += part),
    err: (part: string) => void (text.err += part),
    readerGone,
  };
  const outcome: Outcome = { exitCode: 0 };
  try {
    await createProgram({ terminal, signal, outcome }).parseAsync([...args], { from: 'user' });
    return { ...text, exitCode: outcome.exitCode };
  } catch (error) {
    const exitCode = await reportError(terminal, error, outcome.failure);
    return { ...text, exitCode };
  }
}

const EXPLANATION: Explanation = {
  verdict: 'deny',
  source: { kind: 'outside', address: '203.0.113.7' },
  destination: { kind: 'pod', address: '10.0.0.1', pod: { namespace: 'shop', name: 'db' } },
  protocol: 'TCP',
  port: 5432,
  ingress: {
    direction: 'ingress',
    verdict: 'deny',
    reason: 'no-rule-allows',
    policies: ['shop/db', 'shop/deny-all'],
    misses: [{ policy: 'shop/db', index: 0, missed: 'peer' }],
  },
  words: ['203.0.113.7 to shop/db (10.0.0.1), TCP 5432: denied at ingress', 'label \u001b[2Jx'],
};

describe('policy explain', () => {
  const explain = (...more: string[]): Promise<Run> =>
    run(['policy', 'explain', '203.0.113.7', 'shop/db', '--port', '5432', '--socket', socket, ...more]);

  test('shows both ends and the words, without control characters of others', async () => {
    const asked = await agent(() => [{ ok: true, value: EXPLANATION }]);
    const { exitCode, out } = await explain();
    expect(asked).toEqual([
      { op: 'explain', question: { source: '203.0.113.7', destination: 'shop/db', protocol: 'TCP', port: 5432 } },
    ]);
    expect(exitCode).toBe(0);
    expect(out).toBe(
      [
        'AT       OF           VERDICT  REASON          ISOLATED BY             RULE',
        'egress   203.0.113.7  -        outside         -                       -',
        'ingress  shop/db      deny     no-rule-allows  shop/db, shop/deny-all  -',
        '',
        '203.0.113.7 to shop/db (10.0.0.1), TCP 5432: denied at ingress',
        'label \\u{1b}[2Jx',
        '',
      ].join('\n'),
    );
  });

  test('a name alone is of the namespace that is given, a port may be a name', async () => {
    const asked = await agent(() => [{ ok: true, value: EXPLANATION }]);
    await run([
      'policy',
      'explain',
      'api',
      'fd00::1',
      '-n',
      'shop',
      '--port',
      'sql',
      '--protocol',
      'udp',
      '--socket',
      socket,
    ]);
    expect(asked).toEqual([
      { op: 'explain', question: { source: 'shop/api', destination: 'fd00::1', protocol: 'udp', port: 'sql' } },
    ]);
  });

  test('JSON is the explanation', async () => {
    await agent(() => [{ ok: true, value: EXPLANATION }]);
    const { out } = await explain('-o', 'json');
    expect(JSON.parse(out)).toEqual(EXPLANATION);
    expect(out).not.toContain('\u001b');
  });

  test('--exit-code tells a denied flow from an allowed one', async () => {
    const value = { ...EXPLANATION };
    await agent(() => [{ ok: true, value }]);
    expect(await explain('--exit-code')).toMatchObject({ exitCode: 1 });
    value.verdict = 'allow';
    expect(await explain('--exit-code')).toMatchObject({ exitCode: 0 });
  });

  test('--exit-code is 1 for a denied flow alone: an interrupt is no verdict', async () => {
    const stop = new AbortController();
    await agent(() => {
      stop.abort(new Error('interrupted'));
      return [];
    }, true);
    const question = ['policy', 'explain', 'a', 'b', '--port', '1', '--socket', socket];
    expect(await run([...question, '--exit-code'], stop.signal)).toMatchObject({ exitCode: 5, out: '' });
    expect(await run(question, stop.signal)).toMatchObject({ exitCode: 1, out: '' });
  });

  test.each<[string, readonly (AgentAnswer | string)[], number, RegExp]>([
    [
      'a pod that is not there',
      [{ ok: false, code: 'not-found', message: 'pod a/b: no such' }],
      3,
      /error: pod a\/b[^]*kubectl get pods/,
    ],
    [
      'a bad question',
      [{ ok: false, code: 'bad-request', message: 'port: nothing' }],
      2,
      /error: port: nothing\n[^]*--help/,
    ],
    [
      'an agent that just starts',
      [{ ok: false, code: 'not-ready', message: 'no pods yet' }],
      5,
      /no pods yet\n[^]*try again/,
    ],
    ['an agent that fails', [{ ok: false, code: 'internal', message: 'x\u001b]0;y' }], 5, /x\\u\{1b\}\]0;y\n[^]*logs/],
    ['no answer', [], 5, /ended the connection without an answer\n/],
    ['what is no answer', ['hello\n'], 5, /not JSON[^]*different versions/],
    [
      'an answer of another shape',
      [{ ok: true, value: { verdict: 'maybe' } }],
      5,
      /verdict: "maybe": expected "allow" or "deny"/,
    ],
  ])('%s names the next step', async (_name, answers, exitCode, text) => {
    await agent(() => answers);
    const result = await explain('--exit-code');
    expect(result).toMatchObject({ exitCode, out: '' });
    expect(result.err).toMatch(text);
  });

  test('nobody listens', async () => {
    const result = await explain();
    expect(result).toMatchObject({ exitCode: 3, out: '' });
    expect(result.err).toMatch(/no policy agent listens at .*policy\.sock\n.*-f/);
  });

  test('a name with control characters is one line', async () => {
    const message = 'pod a/b\n\u001b[2Jerror: c: no such';
    await agent(() => [{ ok: false, code: 'not-found', message }]);
    const { err } = await explain();
    expect(err.split('\n')).toHaveLength(3);
    expect(err).toContain('error: pod a/b\\n\\u{1b}[2Jerror: c: no such\n');
  });

  test.each<[string, string[], RegExp]>([
    ['--kubeconfig and --socket', ['--kubeconfig', 'x', '--socket', '/x'], /exclude each other/],
    ['--as-role and --socket', ['--as-role', 'view', '--socket', '/x'], /exclude each other/],
    ['--as-role and --lab', ['--as-role', 'view', '--lab', 'x'], /--as-role is for the admin API of the cluster/],
    ['--lab and --socket', ['--lab', 'x', '--socket', '/x'], /exclude each other/],
    ['a socket without a path', ['--socket', ''], /"" is no path of a socket/],
    ['a socket with too long a path', ['--socket', `/${'a'.repeat(107)}`], /is no path of a socket/],
    ['-f and --socket', ['-f', 'x', '--socket', '/x'], /-f asks no agent/],
    ['an empty file', ['-f', '/dev/null'], /holds no object/],
  ])('%s is refused', async (_name, flags, text) => {
    const result = await run(['policy', 'explain', 'a', 'b', '--port', '1', ...flags]);
    expect(result).toMatchObject({ exitCode: 2, out: '' });
    expect(result.err).toMatch(text);
  });
});

describe('policy explain from files', () => {
  const POLICIES = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  ingress:
    - from: [{ podSelector: { matchLabels: { app: api } } }]
      ports: [{ port: sql }]
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: passed-over }
`;
  const PODS = `
apiVersion: v1
kind: List
items:
  - { apiVersion: v1, kind: Pod, metadata: { name: api, namespace: shop, labels: { app: api } }, spec: { nodeName: n1 } }
  - apiVersion: v1
    kind: Pod
    metadata: { name: db, namespace: shop, labels: { app: db }, uid: '' }
    spec: { nodeName: n1, containers: [{ name: c, ports: [{ name: sql, containerPort: 5432 }] }] }
  - apiVersion: v1
    kind: Node
    metadata: { name: n1 }
    spec: { podCIDR: 10.1.0.0/24, podCIDRs: [10.1.0.0/24, "fd00:1::/64"] }
    status: { addresses: [{ type: InternalIP, address: 192.168.0.1 }, { type: Hostname, address: n1 }] }
  - apiVersion: v1
    kind: Node
    metadata: { name: n2, annotations: { flannel.alpha.coreos.com/public-ip: 203.0.113.2 } }
    spec: { podCIDR: 10.2.0.0/24 }
    status: { addresses: [{ type: InternalIP, address: 192.168.0.2 }] }
`;
  function askAll(texts: readonly (string | Uint8Array)[], args: readonly string[]): Promise<Run> {
    const files = texts.map((text, index) => {
      const file = join(directory, `${index}.yaml`);
      writeFileSync(file, text);
      return file;
    });
    return run(['policy', 'explain', ...args, ...files.flatMap((file) => ['-f', file])]);
  }
  const ask = (...args: string[]): Promise<Run> => askAll([POLICIES, PODS], args);
  const withFile = (text: string | Uint8Array, ...args: string[]): Promise<Run> => askAll([POLICIES, PODS, text], args);

  test('of manifests that were never applied', async () => {
    const { exitCode, out, err } = await ask('shop/api', 'db', '-n', 'shop', '--port', 'sql');
    expect(exitCode).toBe(0);
    expect(out).toContain('rule 0 of shop/db allows from pods app=api in this namespace to TCP sql');
    expect(err).toMatch(/note: pods without an address[^]*note: the files do not hold the namespaces shop/);
  });

  test.each<[string, string, FlowEnd['kind'], 'allow' | 'deny']>([
    ['the pod’s own node', '192.168.0.1', 'host', 'allow'],
    ['its tunnel device', '10.1.0.0', 'host', 'allow'],
    ['its bridge', '10.1.0.1', 'host', 'allow'],
    ['another node', '192.168.0.2', 'host', 'deny'],
    ['its tunnel device', '10.2.0.0', 'host', 'deny'],
    ['the address that it has published', '203.0.113.2', 'host', 'deny'],
    ['nobody that is known', '203.0.113.3', 'outside', 'deny'],
  ])('%s: %s is %s', async (_name, source, kind, verdict) => {
    const { out, err } = await ask(source, 'shop/db', '--port', '22', '-o', 'json');
    expect(JSON.parse(out)).toMatchObject({ source: { address: source, kind }, verdict });
    // Whether a device has it, the files do not tell.
    expect(err.includes(`${source} is taken for an address of n1`)).toBe(source.startsWith('10.1.0.'));
  });

  test.each(['0', '65536', '-1', '080', '1.5', '', 'Abc', '9999999999', 'abc', '1e3'])(
    'port %s of nothing that has it: one line, and no verdict',
    async (port) => {
      const { exitCode, out, err } = await ask('shop/api', 'shop/db', '--port', port, '--exit-code');
      expect({ exitCode, out }).toEqual({ exitCode: /^[a1]\w+$/.test(port) ? 3 : 2, out: '' });
      expect(err).toMatch(/^error: .*\n {2}.*\n$/);
      expect(err).toContain(JSON.stringify(port));
    },
  );

  test('a namespace has the label of its name, whatever its manifest says', async () => {
    const { out, err } = await withFile(
      `
apiVersion: v1
kind: Namespace
metadata: { name: shop, labels: { team: shop } }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: by-name, namespace: shop }
spec:
  podSelector: {}
  ingress: [{ from: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: shop } } }] }]
`,
      'shop/api',
      'shop/db',
      '--port',
      '22',
      '-o',
      'json',
    );
    expect(JSON.parse(out)).toMatchObject({ ingress: { rule: { policy: 'shop/by-name', index: 0 } } });
    expect(err).not.toContain('namespaces');
  });

  test('a document of comments, and nothing behind the last dashes, are passed over', async () => {
    const { exitCode, err } = await withFile(
      '# first\n---\n# second\n---\n' + POLICIES + '---\n',
      'shop/api',
      'shop/db',
      '--port',
      '22',
    );
    expect({ exitCode, err: err.split('\n').filter((line) => line.startsWith('error')) }).toEqual({
      exitCode: 0,
      err: [],
    });
  });

  test('of two objects of one name the last counts, and it is said', async () => {
    const opened = POLICIES.split('---')[0]?.replace('port: sql', 'port: 22') ?? '';
    const { out, err } = await withFile(opened, 'shop/api', 'shop/db', '--port', '22', '-o', 'json');
    expect(JSON.parse(out)).toMatchObject({ verdict: 'allow' });
    expect(err).toMatch(/note: NetworkPolicy shop\/db stands in .*0\.yaml:2 and in .*2\.yaml:2: the latter counts\n/);
  });

  test.each<[string, string | Uint8Array, RegExp]>([
    [
      'a namespace that is a number',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: 5}\n',
      /metadata\.namespace is 5: expected a text/,
    ],
    [
      'a name that is a list',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: [x]}\n',
      /metadata\.name is \["x"\]: expected a text/,
    ],
    [
      'labels that are a text',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: x, labels: y}\n',
      /metadata\.labels is "y": exp/,
    ],
    [
      'a subnet that is none',
      'apiVersion: v1\nkind: Node\nmetadata: {name: x}\nspec: {podCIDR: y}\n',
      /podCIDR is "y": exp/,
    ],
    ['an alias that leads nowhere', 'a: *b\n', /2\.yaml:1: .*[aA]lias/],
    [
      'aliases that explode',
      `a: &a [x]\n${'b: [*a, *a]\n'.replace('b', 'c')}d: &d [${'*a, '.repeat(2000)}]\n`,
      /[aA]lias/,
    ],
    ['brackets without end', '['.repeat(20_000), /2\.yaml/],
    ['bytes', Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 0, 0xff, 0xfe), /is no text in UTF-8/],
    ['too much YAML', '# x\n'.repeat(5_000_000), /more than 16 MiB of YAML\n {2}give it as JSON/],
    ['JSON that is none', '{ "a": ', /2\.yaml: /],
    ['a text', 'hello\n', /a document is no object/],
    ['nothing', '', /holds no object/],
  ])('a file with %s: one line and the next step', async (_name, text, says) => {
    const { exitCode, out, err } = await withFile(text, 'shop/api', 'shop/db', '--port', '22', '--exit-code');
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
    expect(err).toMatch(says);
    expect(err).toMatch(/^error: .*\n {2}.*\n$/);
  });

  test('a device that never ends is not read for ever', async () => {
    const { exitCode, err } = await ask('shop/api', 'shop/db', '--port', '22', '-f', '/dev/zero');
    expect(exitCode).toBe(2);
    expect(err).toMatch(/\/dev\/zero is larger than 256 MiB\n/);
  });

  test('an interrupt is heard while nobody opens the other end of a pipe', async () => {
    const pipe = join(directory, 'pipe');
    Bun.spawnSync(['mkfifo', pipe]);
    const signal = AbortSignal.timeout(100);
    const { exitCode, out } = await run(
      ['policy', 'explain', 'a/b', 'a/c', '--port', '1', '-f', pipe, '--exit-code'],
      signal,
    );
    expect({ exitCode, out }).toEqual({ exitCode: 5, out: '' });
    // Whoever waits for it goes.
    await writeFile(pipe, '');
  });

  test('a pod that the files do not hold', async () => {
    expect(await ask('shop/web', 'shop/db', '--port', '1')).toMatchObject({ exitCode: 3, out: '' });
  });
});

describe('policy endpoints', () => {
  const ENDPOINT: EndpointStatusMessage = {
    key: 'c1/eth0',
    hostInterface: 'cnl0123456789a',
    mode: 'routed',
    addresses: ['10.0.0.1', 'fd00::1'],
    pod: { namespace: 'shop', name: 'db', uid: 'u1' },
    state: 'policed',
    ingress: ['shop/db', 'shop/deny-all'],
    egress: [],
  };

  test('lists them by pod', async () => {
    const { pod: _pod, ...nameless } = ENDPOINT;
    const unknown: EndpointStatusMessage = {
      ...nameless,
      key: 'c2/eth0',
      addresses: ['10.0.0.2'],
      state: 'unknown-pod',
      ingress: [],
    };
    await agent(() => [{ ok: true, value: [ENDPOINT, unknown] }]);
    expect(await run(['policy', 'endpoints', '--socket', socket])).toEqual({
      // One is closed.
      exitCode: 5,
      err: '',
      out: [
        'POD             ADDRESSES          INTERFACE       STATE        INGRESS ISOLATED BY     EGRESS ISOLATED BY',
        'cnl0123456789a  10.0.0.2           cnl0123456789a  unknown-pod  all                     all',
        'shop/db         10.0.0.1, fd00::1  cnl0123456789a  policed      shop/db, shop/deny-all  -',
        '',
      ].join('\n'),
    });
  });

  test('JSON is the list', async () => {
    await agent(() => [{ ok: true, value: [ENDPOINT] }]);
    const { exitCode, out } = await run(['policy', 'endpoints', '--socket', socket, '-o', 'json']);
    const { addresses, state, ingress, egress } = ENDPOINT;
    const pod = { namespace: 'shop', name: 'db' };
    const shown = { interface: 'cnl0123456789a', addresses, pod, state, ingress, egress };
    expect({ exitCode, value: JSON.parse(out) as unknown }).toEqual({ exitCode: 0, value: [shown] });
  });

  test('none', async () => {
    await agent(() => [{ ok: true, value: [] }]);
    expect(await run(['policy', 'endpoints', '--socket', socket])).toMatchObject({ exitCode: 0, out: '' });
  });
});

describe('policy pods', () => {
  const endpoint = (name: string, ingress: string[], egress: string[]): EndpointStatusMessage => ({
    key: `${name}/eth0`,
    hostInterface: 'cnl0',
    mode: 'routed',
    addresses: ['10.0.0.1'],
    pod: { namespace: 'shop', name, uid: name },
    state: 'policed',
    ingress,
    egress,
  });

  test('of an agent: those that it isolates, and for what', async () => {
    const endpoints = [
      endpoint('web', ['shop/x', 'shop/deny'], ['shop/deny']),
      endpoint('db', ['shop/deny'], []),
      endpoint('other', ['shop/x'], []),
    ];
    await agent(() => [{ ok: true, value: endpoints }]);
    const pods = (...more: string[]): Promise<Run> => run(['policy', 'pods', ...more, '--socket', socket]);
    expect(await pods('shop/deny')).toEqual({
      exitCode: 0,
      err: '',
      out: 'POD       ISOLATED FOR\nshop/db   ingress\nshop/web  ingress, egress\n',
    });
    expect((await pods('deny', '-n', 'shop', '-o', 'name')).out).toBe('shop/db\nshop/web\n');
    expect((await pods('x', '-n', 'shop', '-o', 'custom-columns=P:.pod.name')).out).toBe('P\nother\nweb\n');
    expect(await pods('deny')).toEqual({ exitCode: 0, out: '', err: 'default/deny isolates no pod here\n' });
  });
});

describe('flows', () => {
  const DENIED: FlowRecord = {
    time: '2026-01-01T00:00:00.000Z',
    verdict: 'deny',
    reason: 'ingress-denied',
    direction: 'ingress',
    source: { address: '10.0.0.2', port: 40_000, pod: { namespace: 'shop', name: 'api' } },
    destination: { address: '10.0.0.1', port: 5432, pod: { namespace: 'shop', name: 'db' } },
    protocol: 'TCP',
    isolatedBy: ['shop/deny-all'],
    lost: 0,
  };
  const ALLOWED: FlowRecord = {
    time: '2026-01-01T00:00:01.000Z',
    verdict: 'allow',
    reason: 'allowed',
    source: { address: '203.0.113.7' },
    destination: { address: '10.0.0.1' },
    protocol: 'ICMP',
    rule: { policy: 'shop/db', index: 2 },
    lost: 3,
  };
  const TABLE = [
    'TIME                      VERDICT  REASON          SOURCE       DESTINATION  PROTO/PORT  RULE',
    '2026-01-01T00:00:00.000Z  deny     ingress-denied  shop/api     shop/db      TCP/5432    isolated by shop/deny-all',
    '2026-01-01T00:00:01.000Z  allow    allowed         203.0.113.7  10.0.0.1     ICMP        shop/db[2]',
    '',
  ].join('\n');

  test('of the last ones', async () => {
    const asked = await agent(() => [DENIED, ALLOWED].map((value) => ({ ok: true, value })));
    const { exitCode, out, err } = await run(['flows', '--last', '7', '--socket', socket]);
    expect(asked).toEqual([{ op: 'flows', follow: false, last: 7, denied: false }]);
    expect({ exitCode, out, err }).toEqual({
      exitCode: 0,
      out: TABLE,
      err: '3 records were lost before the next one\n',
    });
  });

  test.each<[string, string[], readonly FlowRecord[], object]>([
    ['denied', ['--denied'], [DENIED], { last: 20, denied: true }],
    ['a verdict', ['--verdict', 'allow'], [ALLOWED], { last: 1_000_000, denied: false }],
    ['a pod', ['--pod', 'db'], [DENIED], { last: 1_000_000 }],
    ['a pod of a namespace', ['--pod', 'shop/api'], [DENIED], {}],
    ['a pod of another', ['--pod', 'web/api'], [], {}],
    ['a namespace', ['-n', 'shop'], [DENIED], { last: 1_000_000 }],
    ['a port', ['--port', '5432'], [DENIED], {}],
    ['a protocol', ['--protocol', 'icmp'], [ALLOWED], {}],
    ['the newest of them', ['--protocol', 'icmp', '--last', '0'], [], { last: 0 }],
  ])('%s alone', async (_name, flags, expected, request) => {
    const asked = await agent(() => [DENIED, ALLOWED].map((value) => ({ ok: true, value })));
    const { exitCode, out } = await run(['flows', '-o', 'json', '--socket', socket, ...flags]);
    expect([exitCode, asked]).toEqual([0, [expect.objectContaining(request)]]);
    const lines = out.split('\n').filter((line) => line !== '');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(expected);
  });

  test.each<[string, string[], RegExp]>([
    ['a pod that is none', ['--pod', 'a/b/c'], /--pod: "a\/b\/c" is no pod/],
    ['a table to draw where nothing can be drawn', ['--live'], /--live draws on a terminal/],
    ['another node than the agent’s own', ['--node', 'n1'], /--socket and --node exclude each other/],
  ])('%s is refused', async (_name, flags, says) => {
    const { exitCode, out, err } = await run(['flows', '--socket', socket, ...flags]);
    expect([exitCode, out, err]).toEqual([2, '', expect.stringMatching(says)]);
  });

  test('JSON is one record a line', async () => {
    await agent(() => [DENIED, ALLOWED].map((value) => ({ ok: true, value })));
    const { out } = await run(['flows', '-o', 'json', '--socket', socket]);
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([DENIED, ALLOWED]);
  });

  test('none', async () => {
    await agent(() => []);
    const { exitCode, out, err } = await run(['flows', '--socket', socket]);
    expect({ exitCode, out }).toEqual({ exitCode: 0, out: '' });
    expect(err).toContain('no such flows are remembered');
  });

  test('followed until interrupted, which is no failure', async () => {
    const stop = new AbortController();
    const asked = await agent(() => {
      setTimeout(() => stop.abort(new Error('interrupted')), 200);
      return [DENIED, ALLOWED].map((value) => ({ ok: true, value }));
    }, true);
    const { exitCode, out } = await run(['flows', '--follow', '--socket', socket], stop.signal);
    expect(asked).toMatchObject([{ op: 'flows', follow: true, last: 20 }]);
    expect(exitCode).toBe(0);
    expect(out.split('\n').map((line) => line.replaceAll(/ {2,}/g, '  '))).toEqual(
      TABLE.split('\n').map((line) => line.replaceAll(/ {2,}/g, '  ')),
    );
  });

  test('followed until nobody reads', async () => {
    await agent(() => [DENIED, ALLOWED].map((value) => ({ ok: true, value })), true);
    const { exitCode, out } = await run(['flows', '--follow', '--socket', socket], undefined, () => true);
    expect(exitCode).toBe(0);
    expect(out).toContain('TCP/5432');
    expect(out).not.toContain('ICMP');
  });

  test('followed until the agent ends', async () => {
    await agent(() => [{ ok: true, value: DENIED }]);
    const { exitCode, err } = await run(['flows', '--follow', '--socket', socket]);
    expect(exitCode).toBe(5);
    expect(err).toContain('ended the connection');
  });
});
