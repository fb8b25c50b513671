/** The command line as people and scripts use it: the shipped binary, its output and its exit codes. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const BINARY = process.env['CANAL_BINARY'] ?? resolve(import.meta.dirname, '../../../dist/canal');
const STATE_ROOT = `/run/canalctl-test-${process.pid}`;
const NAME = `c${process.pid}`;

let directory: string;

beforeAll(() => {
  if (!existsSync(BINARY)) throw new Error(`${BINARY} is missing: build it with "npm run build"`);
  directory = mkdtempSync(join(tmpdir(), 'canalctl-'));
});
afterAll(() => {
  run('down', '--name', NAME);
  rmSync(directory, { recursive: true });
});

interface Run {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `canalctl lab COMMAND …` on the test's lab. */
function lab(command: readonly string[], stdin = ''): Run {
  const child = Bun.spawnSync([BINARY, 'canalctl', 'lab', ...command], {
    stdin: Buffer.from(stdin),
    env: { PATH: process.env['PATH'] ?? '', CANAL_LAB: NAME, CANAL_LAB_STATE_ROOT: STATE_ROOT },
  });
  return { exitCode: child.exitCode, stdout: child.stdout.toString(), stderr: child.stderr.toString() };
}

const run = (...command: string[]): Run => lab(command);

function manifest(text: string): string {
  const file = join(directory, `${Bun.hash(text)}.yaml`);
  writeFileSync(file, text);
  return file;
}

describe('before there is a lab', () => {
  test.each<[string, string[], number, RegExp]>([
    ['an unknown command names the way out', ['upp'], 2, /unknown command 'upp'[^]*up/],
    ['an unknown option', ['up', '--nods', '3'], 2, /unknown option '--nods'/],
    ['an unknown backend lists those there are', ['up', '--backend', 'udp'], 2, /vxlan, host-gw/],
    ['a number that is none', ['up', '--nodes', 'three'], 2, /"three" is no whole number/],
    [
      'a number out of range names field and range',
      ['up', '--nodes', '0'],
      2,
      /nodes: "0": expected a number within 1\.\.200/,
    ],
    ['two wishes that exclude each other', ['up', '--backend', 'host-gw', '--direct-routing'], 2, /directRouting/],
    ['status of nothing says how to begin', ['status'], 3, /there is no lab[^]*canalctl lab up/],
    ['down of nothing', ['down'], 3, /there is no lab/],
    [
      'down of what is above the labs',
      ['down', '--name', '..'],
      2,
      /"\.\." is no name of a lab\n {2}expected lower-case/,
    ],
    ['a name that is empty', ['status', '--name', ''], 2, /"" is no name of a lab/],
    ['exec in nothing', ['pod', 'exec', 'pod1', '--', 'true'], 3, /there is no lab/],
    ['a name that leaves its directory', ['up', '--name', '../../etc'], 2, /name: "..\/..\/etc"/],
  ])('%s', (_name, command, exitCode, says) => {
    const result = run(...command);
    expect(result).toMatchObject({ exitCode, stdout: '' });
    expect(result.stderr).toMatch(says);
  });

  test('list says that there is none', () => {
    expect(run('list')).toMatchObject({ exitCode: 0, stdout: '' });
    expect(JSON.parse(run('list', '-o', 'json').stdout)).toEqual([]);
  });

  test('help is on stdout, with the exit codes', () => {
    const { exitCode, stdout } = run('--help');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Exit codes:');
  });
});

describe('a lab', () => {
  test('comes up: progress on stderr, one line a step where there is no terminal, and JSON on stdout', () => {
    const { exitCode, stdout, stderr } = run('up', '--nodes', '2', '--pods-per-node', '1', '-o', 'json');
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/^connecting the nodes\nstarting the API server\n/);
    expect(stderr).not.toContain('\u001b');
    expect(JSON.parse(stdout)).toMatchObject({
      created: true,
      status: { name: NAME, healthy: true, nodes: [{ name: 'node1', podCidrs: ['10.244.1.0/24'] }, { name: 'node2' }] },
      ping: {
        lost: 0,
        pairs: [
          { from: 'pod1', to: 'pod2', family: 4 },
          { from: 'pod2', to: 'pod1' },
        ],
      },
    });
  });

  test('up again shows it; up of another one of that name is refused with the difference', () => {
    const same = run('up', '--nodes', '2', '--pods-per-node', '1');
    expect(same.exitCode).toBe(0);
    expect(same.stdout).toMatch(/node1 .* 10\.244\.1\.0\/24[^]*2 pairs, 0 lost[^]*was up already/);
    const other = run('up', '--nodes', '3', '--pods-per-node', '1');
    expect(other).toMatchObject({ exitCode: 4, stdout: '' });
    expect(other.stderr).toMatch(/it has nodes 2\n.*lab down/);
  });

  test('status and list', () => {
    expect(run('status').stdout).toMatch(
      /node1\s+→ node2\s+10\.244\.2\.0\/24\s+vxlan\s+via 10\.244\.2\.0 dev flannel\.1/,
    );
    expect(run('list').stdout).toContain(NAME);
  });

  test('pods and nodes come and go', () => {
    const added = run('pod', 'add', 'web', '--node', 'node2', '--label', 'app=web', 'tier=front');
    expect(added.stdout).toMatch(/^pod web on node2: 10\.244\.2\.\d+\n$/);
    expect(run('pod', 'add', 'web')).toMatchObject({ exitCode: 4 });
    expect(run('pod', 'add', 'web2', '--label', 'nonsense')).toMatchObject({ exitCode: 2 });
    expect(run('pod', 'rm', 'web')).toMatchObject({ exitCode: 0 });
    const again = run('pod', 'rm', 'web');
    expect(again.exitCode).toBe(3);
    expect(again.stderr).toContain('there are: pod1, pod2');
    expect(run('node', 'add').stdout).toMatch(/^node node3: 192\.168\.77\.13, pods 10\.244\.3\.0\/24\n$/);
    expect(run('node', 'rm', 'node3')).toMatchObject({ exitCode: 0 });
    expect(run('ping')).toMatchObject({ exitCode: 0 });
  });

  test('exec runs in the right network, passes standard input, output and exit code on', () => {
    const typed = lab(['pod', 'exec', 'pod1', '--', 'sh', '-c', 'cat; ip -br addr show eth0; exit 9'], 'typed\n');
    expect(typed.exitCode).toBe(9);
    expect(typed.stdout).toMatch(/^typed\neth0@\S+\s+UP\s+10\.244\.1\.2\/32/);
    expect(run('node', 'exec', 'node2', '--', 'ip', '-br', 'addr', 'show', 'eth0').stdout).toContain(
      '192.168.77.12/24',
    );
    expect(run('node', 'exec', 'node9', '--', 'true')).toMatchObject({ exitCode: 3 });
    expect(run('node', 'exec', 'node2', '--', 'no-such')).toMatchObject({
      exitCode: 127,
      stderr: '"no-such": command not found\n',
    });
  });

  test('objects are applied, changed, shown and deleted', () => {
    const policy = (port: number): string => `# two documents
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web }
spec:
  podSelector: { matchLabels: { app: web } }
  ingress: [{ ports: [{ port: ${port} }] }]
---
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { a: "1" }
`;
    expect(run('apply', '-f', manifest(policy(80))).stdout).toBe(
      'networkpolicy.networking.k8s.io/web created\nconfigmap/settings created\n',
    );
    expect(run('apply', '-f', manifest(policy(81))).stdout).toBe(
      'networkpolicy.networking.k8s.io/web configured\nconfigmap/settings unchanged\n',
    );
    expect(lab(['apply', '-f', '-'], policy(81)).stdout).toContain('web unchanged');
    expect(run('get', 'netpol').stdout).toMatch(/^NAME\s.*\nweb\s/);
    expect(JSON.parse(run('get', 'networkpolicies', 'web', '-o', 'json').stdout)).toMatchObject({
      spec: { ingress: [{ ports: [{ port: 81 }] }] },
    });
    expect(run('get', 'cm', 'settings', '-o', 'yaml').stdout).toContain('a: "1"');
    expect(run('get', 'pods', '-A').stdout).toMatch(/^NAMESPACE\s+NAME\s[^]*default\s+pod1\s/);
    expect(run('delete', 'netpol', 'web').stdout).toBe('networkpolicy.networking.k8s.io/web deleted\n');
    expect(run('get', 'netpol', 'web')).toMatchObject({ exitCode: 3 });
  });

  test.each([
    [
      'a misspelt field is refused by name',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndta: {}\n',
      1,
      /dta/,
    ],
    [
      'a kind that is not served names file and line',
      '\napiVersion: v1\nkind: Pood\nmetadata: {name: x}\n',
      2,
      /:2: .*Pood/,
    ],
    ['text that is no YAML', 'a: [', 2, /yaml/],
    ['an object without a name', 'apiVersion: v1\nkind: ConfigMap\n', 2, /metadata\.name is missing/],
    ['a file without objects', '# nothing\n', 2, /holds no object/],
  ])('apply: %s', (_name, text, exitCode, says) => {
    const result = run('apply', '-f', manifest(text));
    expect(result).toMatchObject({ exitCode, stdout: '' });
    expect(result.stderr).toMatch(says);
  });

  test('names of others cannot steer the terminal', () => {
    const text =
      'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: evil\n  labels: {}\ndata: { a: "\\e]0;owned\\a\\u202e" }\n';
    expect(run('apply', '-f', manifest(text)).exitCode).toBe(0);
    for (const format of ['json', 'yaml']) {
      const { stdout } = run('get', 'cm', 'evil', '-o', format);
      expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    }
    expect(JSON.parse(run('get', 'cm', 'evil', '-o', 'json').stdout)).toMatchObject({
      data: { a: '\u001b]0;owned\u0007\u202e' },
    });
  });

  test('a dead agent makes status exit with 5 and say what heals it; up heals it', () => {
    const { status } = JSON.parse(run('up', '--nodes', '2', '--pods-per-node', '1', '-o', 'json').stdout) as {
      status: { nodes: { agent: { pid: number } }[] };
    };
    process.kill(status.nodes[0]?.agent.pid ?? 0, 'SIGKILL');
    const sick = run('status');
    expect(sick.exitCode).toBe(5);
    expect(sick.stdout).toMatch(/not well: node1: its flanneld is not running .*lab up/);
    expect(run('up', '--nodes', '2', '--pods-per-node', '1').exitCode).toBe(0);
    expect(run('status').exitCode).toBe(0);
  });

  test('down ends it', () => {
    expect(run('down').stdout).toMatch(/^lab \S+ removed: 6 processes, 5 namespaces\n$/);
    expect(existsSync(STATE_ROOT)).toBe(false);
  });
});

test('without root it says so, and how to get it', () => {
  const child = Bun.spawnSync(['setpriv', '--reuid=65534', '--clear-groups', BINARY, 'canalctl', 'lab', 'up'], {
    env: { PATH: process.env['PATH'] ?? '' },
  });
  expect(child.exitCode).toBe(6);
  expect(child.stderr.toString()).toMatch(/lacks root[^]*sudo/);
});

test('where network namespaces are forbidden it says which right is missing', () => {
  const child = Bun.spawnSync(
    ['setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin', BINARY, 'canalctl', 'lab', 'up'],
    {
      env: { PATH: process.env['PATH'] ?? '', CANAL_LAB: NAME },
    },
  );
  expect(child.exitCode).toBe(6);
  expect(child.stderr.toString()).toMatch(/CAP_SYS_ADMIN/);
});
