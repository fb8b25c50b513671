/** `policy`, `flows` and `lab probe` of the shipped binary, in a lab: what is explained is what packets meet. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { FlowRecord } from '@canal/agent-protocol';
import { labPaths, nodePaths } from '@canal/lab';
import type { Explanation } from '@canal/policy-compile';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const BINARY = process.env['CANAL_BINARY'] ?? resolve(import.meta.dirname, '../../../../dist/canal');
const NAME = `p${process.pid}`;
const STATE_ROOT = `/run/canalctl-policy-test-${process.pid}`;
const ENV = { PATH: process.env['PATH'] ?? '', CANAL_LAB: NAME, CANAL_LAB_STATE_ROOT: STATE_ROOT };
const PODS = ['pod1', 'pod2', 'pod3', 'pod4'];

/** pod1 and pod2 on node1, pod3 and pod4 on node2; labels app=<name>. */
const POLICIES = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: deny-ingress }
spec: { podSelector: {}, policyTypes: [Ingress] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: pod2 }
spec:
  podSelector: { matchLabels: { app: pod2 } }
  ingress:
    - from: [{ podSelector: { matchExpressions: [{ key: app, operator: In, values: [pod1, pod3] }] } }]
      ports: [{ port: 80 }]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: pod3 }
spec:
  podSelector: { matchLabels: { app: pod3 } }
  policyTypes: [Ingress, Egress]
  ingress: [{}]
  egress:
    - to: [{ podSelector: { matchLabels: { app: pod4 } } }, { ipBlock: { cidr: 10.244.1.0/24 } }]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: pod4 }
spec:
  podSelector: { matchLabels: { app: pod4 } }
  ingress: [{ from: [{ namespaceSelector: {} }], ports: [{ port: 5000, endPort: 6000 }] }]
`;

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'canalctl-policy-'));
  expect(run('lab', 'up', '--nodes', '2', '--pods-per-node', '2')).toMatchObject({ exitCode: 0 });
});
afterAll(() => {
  run('lab', 'down');
  rmSync(directory, { recursive: true });
});

interface Run {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(...args: readonly string[]): Run {
  const child = Bun.spawnSync([BINARY, 'canalctl', ...args], { env: ENV });
  return { exitCode: child.exitCode, stdout: child.stdout.toString(), stderr: child.stderr.toString() };
}

const inLab = (...args: readonly string[]): Run => run(...args, '--lab', NAME);
/** Of its agent itself, without the admin API. */
const ofAgent = (node: string, ...args: readonly string[]): Run =>
  run(...args, '--socket', nodePaths(labPaths(STATE_ROOT, NAME), node).policySocket);

async function waitFor(what: string, condition: () => boolean, deadlineMs = 10_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${deadlineMs} ms in vain for ${what}`);
    await Bun.sleep(50);
  }
}

describe('a lab without policies', () => {
  test('probes are answered, over TCP and UDP, and in JSON', () => {
    expect(run('lab', 'probe', 'pod1', 'pod3:80')).toMatchObject({
      exitCode: 0,
      stdout: 'pod1 -> pod3 TCP 80: answered\n',
    });
    expect(run('lab', 'probe', 'pod1', '198.51.100.1:53', '--udp')).toMatchObject({ exitCode: 0 });
    const { stdout } = run('lab', 'probe', '10.244.1.2', 'pod3:80', '-o', 'json');
    expect(JSON.parse(stdout)).toMatchObject({ answered: true, seenSource: '10.244.1.2', protocol: 'tcp', port: 80 });
  });

  test.each<[string, string[], number, RegExp]>([
    ['an unknown pod', ['podx', 'pod1:80'], 3, /there is no pod "podx"[^]*pod1/],
    [
      'an address of nobody',
      ['pod1', '192.0.2.1:80'],
      3,
      /nothing of the lab has the address 192.0.2.1[^]*198.51.100.1/,
    ],
    ['no port', ['pod1', 'pod2'], 2, /"pod2" is no end with a port\n[^]*POD:PORT/],
  ])('%s', (_name, args, exitCode, says) => {
    const result = run('lab', 'probe', ...args);
    expect(result).toMatchObject({ exitCode, stdout: '' });
    expect(result.stderr).toMatch(says);
  });

  test('a port that a program there has is no verdict on the network', async () => {
    const code =
      'import sys, socket as s; l=s.socket(); l.bind(("", 8080)); l.listen(); print(flush=True); sys.stdin.read()';
    const server = Bun.spawn([BINARY, 'canalctl', 'lab', 'pod', 'exec', 'pod3', '--', 'python3', '-c', code], {
      env: ENV,
      stdin: 'pipe',
      stdout: 'pipe',
    });
    for await (const _ of server.stdout) break;
    const result = run('lab', 'probe', 'pod1', 'pod3:8080');
    await server.stdin.end();
    await server.exited;
    expect(result).toMatchObject({ exitCode: 1, stdout: '' });
    expect(result.stderr).toMatch(/no TCP server can be opened at 10\.244\.2\.2 port 8080: .*\n {2}\S/);
    expect(run('lab', 'probe', 'pod1', 'pod3:8080')).toMatchObject({ exitCode: 0 });
  });

  test('endpoints that nothing isolates', () => {
    const { exitCode, stdout } = inLab('policy', 'endpoints', '-o', 'json');
    expect(exitCode).toBe(0);
    const endpoints = JSON.parse(stdout) as { node: string; pod: { name: string }; state: string; ingress: string[] }[];
    expect(endpoints.map(({ node, pod, state, ingress }) => [node, pod.name, state, ingress])).toEqual([
      ['node1', 'pod1', 'policed', []],
      ['node1', 'pod2', 'policed', []],
      ['node2', 'pod3', 'policed', []],
      ['node2', 'pod4', 'policed', []],
    ]);
  });

  test('a node that the lab does not have', () => {
    const result = inLab('policy', 'endpoints', '--node', 'node9');
    expect(result).toMatchObject({ exitCode: 3, stdout: '' });
    expect(result.stderr).toContain('"canalctl node status" shows the nodes there are');
  });
});

describe('a lab with policies', () => {
  beforeAll(async () => {
    const file = join(directory, 'policies.yaml');
    writeFileSync(file, POLICIES);
    expect(run('lab', 'apply', '-f', file)).toMatchObject({ exitCode: 0 });
    // Each agent has what is applied last, and packets meet it.
    await waitFor(
      'the policies',
      () =>
        run('lab', 'probe', 'pod1', 'pod4:80').exitCode !== 0 &&
        run('lab', 'probe', 'pod4', 'pod2:80').exitCode !== 0 &&
        ['node1', 'node2'].every((node) => {
          const question = ['pod3', 'pod4', '--port', '5432', '-o', 'json'];
          const { stdout } = ofAgent(node, 'policy', 'explain', ...question);
          return stdout.includes('"verdict": "allow"') && stdout.includes('default/pod4');
        }),
      30_000,
    );
  });

  test('every pair of pods, at two ports: packets meet what is explained', () => {
    const verdicts: string[] = [];
    for (const from of PODS) {
      for (const to of PODS.filter((name) => name !== from)) {
        for (const port of ['80', '5432']) {
          const { exitCode } = run('lab', 'probe', from, `${to}:${port}`);
          const { stdout } = inLab('policy', 'explain', from, to, '--port', port, '-o', 'json');
          const { verdict, words } = JSON.parse(stdout) as Explanation;
          expect({ from, to, port, answered: exitCode === 0, words }).toEqual({
            from,
            to,
            port,
            answered: verdict === 'allow',
            words,
          });
          verdicts.push(verdict);
        }
      }
    }
    expect(verdicts.filter((verdict) => verdict === 'allow').length).toBeGreaterThan(5);
    expect(verdicts.filter((verdict) => verdict === 'deny').length).toBeGreaterThan(5);
  }, 180_000);

  test('the agent of either node explains the same', () => {
    const question = ['policy', 'explain', 'pod1', 'pod4', '--port', '80', '-o', 'json'];
    const [one, other] = ['node1', 'node2'].map((node) => ofAgent(node, ...question).stdout);
    expect(one).toContain('"verdict": "deny"');
    expect(other).toBe(one);
    expect(JSON.parse(inLab(...question).stdout)).toEqual(JSON.parse(one ?? ''));
  });

  test('the agent of a node tells of its pods as the admin API does', () => {
    const ofNode = JSON.parse(inLab('policy', 'endpoints', '--node', 'node2', '-o', 'json').stdout) as object[];
    const own = JSON.parse(ofAgent('node2', 'policy', 'endpoints', '-o', 'json').stdout) as object[];
    expect(ofNode).toEqual(own.map((endpoint) => ({ ...endpoint, node: 'node2' })));
    expect(own).toHaveLength(2);
  });

  test('files with the same objects explain the same', () => {
    const files = ['pods', 'namespaces', 'networkpolicies', 'nodes'].flatMap((kind) => {
      const file = join(directory, `${kind}.yaml`);
      const { exitCode, stdout } = run('lab', 'get', kind, '--all-namespaces', '--output', 'yaml');
      expect({ kind, exitCode }).toEqual({ kind, exitCode: 0 });
      writeFileSync(file, stdout);
      return ['-f', file];
    });
    const reasons: (string | undefined)[] = [];
    for (const source of ['pod2', 'pod4', '192.168.77.11', '192.168.77.12', '10.244.2.0', '198.51.100.1']) {
      const question = ['policy', 'explain', source, 'pod1', '--port', '80', '-o', 'json'] as const;
      const ofFiles = run(...question, ...files);
      expect(ofFiles).toMatchObject({ exitCode: 0, stderr: '' });
      expect(ofFiles.stdout).toBe(ofAgent('node1', ...question).stdout);
      expect(JSON.parse(inLab(...question).stdout)).toEqual(JSON.parse(ofFiles.stdout));
      reasons.push((JSON.parse(ofFiles.stdout) as Explanation).ingress?.reason);
    }
    expect(reasons).toEqual(reasons.map((_, index) => (index === 2 ? 'own-node' : 'no-rule-allows')));
  });

  test('the exit code is the verdict only when asked for', () => {
    const question = ['policy', 'explain', 'pod4', 'pod2', '--port', '80'] as const;
    expect(inLab(...question)).toMatchObject({ exitCode: 0 });
    expect(inLab(...question, '--exit-code')).toMatchObject({ exitCode: 1 });
    expect(inLab('policy', 'explain', 'pod1', 'pod2', '--port', '80', '--exit-code')).toMatchObject({ exitCode: 0 });
    expect(inLab('policy', 'explain', 'pod1', 'podx', '--port', '80', '--exit-code')).toMatchObject({ exitCode: 3 });
  });

  test('a denied packet is in the flow log, with the policies that isolate the pod', async () => {
    expect(run('lab', 'probe', 'pod4', 'pod2:81')).toMatchObject({ exitCode: 5 });
    let records: (FlowRecord & { node: string })[] = [];
    await waitFor('the record', () => {
      const { exitCode, stdout } = inLab('flows', '--denied', '--last', '100', '-o', 'json');
      expect(exitCode).toBe(0);
      const lines = stdout.split('\n').filter((line) => line !== '');
      records = lines.map((line) => JSON.parse(line) as FlowRecord & { node: string });
      return records.some(({ destination }) => destination.port === 81);
    });
    expect(records).toContainEqual(
      expect.objectContaining({
        node: 'node1',
        verdict: 'deny',
        reason: 'ingress-denied',
        protocol: 'TCP',
        source: expect.objectContaining({ pod: { namespace: 'default', name: 'pod4' } }) as unknown,
        destination: { address: '10.244.1.3', port: 81, pod: { namespace: 'default', name: 'pod2' } },
        isolatedBy: ['default/deny-ingress', 'default/pod2'],
      }),
    );
  });

  test('followed flows end with their reader', async () => {
    const follow = `'${BINARY}' canalctl flows --follow --last 0 --lab ${NAME} | head -n1`;
    const child = Bun.spawn(['sh', '-c', follow], { env: ENV, stdout: 'pipe' });
    for await (const _ of child.stdout) break;
    const end = AbortSignal.timeout(10_000);
    // The heading went to `head`; the first record finds nobody.
    while (child.exitCode === null && !end.aborted) {
      run('lab', 'probe', 'pod4', 'pod2:4243');
      await Bun.sleep(50);
    }
    expect(child.exitCode).toBe(0);
  });

  test('followed flows come as they happen; an interrupt ends well', async () => {
    const child = Bun.spawn([BINARY, 'canalctl', 'flows', '--follow', '--last', '0', '--lab', NAME], {
      env: ENV,
      stdout: 'pipe',
      stderr: 'pipe',
    });
    let text = '';
    const read = async (): Promise<void> => {
      for await (const chunk of child.stdout) text += Buffer.from(chunk).toString();
    };
    const reading = read();
    await waitFor('the heading', () => text.includes('DESTINATION'), 10_000);
    // It is there before the agents are connected.
    const told = (): boolean => {
      run('lab', 'probe', 'pod4', 'pod2:4242');
      return text.includes('TCP/4242');
    };
    await waitFor('the record', told, 10_000);
    child.kill('SIGINT');
    expect(await child.exited).toBe(0);
    await reading;
  });
});
