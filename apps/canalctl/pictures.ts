/**
 * `bun apps/canalctl/pictures.ts`, as root and with a built binary: brings a lab up, runs the commands on a terminal of their
 * own, writes what they show to docs/pictures, and takes the lab down. A test holds names and commands to the documents.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { terminalPicture } from './src/picture/terminal-picture.ts';

const ROOT = resolve(import.meta.dirname, '../..');
export const PICTURES_DIRECTORY = join(ROOT, 'docs/pictures');

interface Picture {
  /** Of the file, without `.svg`. */
  readonly name: string;
  readonly title: string;
  readonly commands: readonly string[];
}

export const PICTURES = [
  {
    name: 'status-healthy',
    title: 'canalctl status: three nodes, all ready',
    commands: ['canalctl status --lab shop'],
  },
  {
    name: 'status-broken',
    title:
      'canalctl status: an agent that has died, and a node that the others cannot reach, each with cause and next step',
    commands: ['canalctl status --lab shop'],
  },
  {
    name: 'policy-explain',
    title: 'canalctl policy explain: a flow that is allowed, and one that is denied, with the policies and the rule',
    commands: [
      'canalctl policy explain shop/api shop/db --port 5432 --lab shop',
      'canalctl policy explain shop/web shop/db --port 5432 --lab shop',
    ],
  },
  {
    name: 'policy-diff',
    title: 'canalctl policy diff: which flows a file would open and close',
    commands: ['cat backup.yaml', 'canalctl policy diff -f backup.yaml'],
  },
  {
    name: 'flows',
    title: 'canalctl flows: what was denied, at which end, and by what',
    commands: ['canalctl flows --denied --lab shop'],
  },
] as const satisfies readonly Picture[];

type PictureName = (typeof PICTURES)[number]['name'];

const SHOP = `
apiVersion: v1
kind: Namespace
metadata: { name: shop, labels: { team: shop } }
---
apiVersion: v1
kind: Namespace
metadata: { name: ops, labels: { team: ops } }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: default-deny, namespace: shop }
spec: { podSelector: {}, policyTypes: [Ingress] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: api, namespace: shop }
spec:
  podSelector: { matchLabels: { app: api } }
  ingress: [{ from: [{ podSelector: { matchLabels: { app: web } } }], ports: [{ port: 8080 }] }]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  ingress: [{ from: [{ podSelector: { matchLabels: { app: api } } }], ports: [{ port: 5432 }] }]
`;
/** What the picture of `policy diff` shows, too. */
const BACKUP = `\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: db
  namespace: shop
spec:
  podSelector:
    matchLabels: { app: db }
  ingress:
    - from:
        - namespaceSelector: { matchLabels: { team: ops } }
          podSelector: { matchLabels: { app: backup } }
      ports:
        - port: 5432
`;
const PODS = [
  ['shop/web', 'node1', 'app=web'],
  ['shop/api', 'node2', 'app=api'],
  ['shop/db', 'node3', 'app=db'],
  ['ops/backup', 'node1', 'app=backup'],
] as const;
/** Exit code of canalctl. */
const LAB_ABSENT = 3;
/** From, to, and whether it passes. */
const PROBES = [
  ['shop/web', 'shop/db:5432', false],
  ['shop/api', 'shop/db:5432', true],
  ['ops/backup', 'shop/db:5432', false],
  ['ops/backup', 'shop/api:8080', false],
  ['shop/db', 'shop/web:80', false],
] as const;

/** A lab for the pictures, and nothing that outlives it. */
class Studio implements Disposable {
  readonly #directory: string;
  readonly #environment: Readonly<Record<string, string>>;

  constructor(binary: string) {
    this.#directory = mkdtempSync(join(tmpdir(), 'canal-pictures-'));
    symlinkSync(binary, join(this.#directory, 'canalctl'));
    this.#environment = {
      PATH: `${this.#directory}:${process.env['PATH'] ?? ''}`,
      HOME: this.#directory,
      TERM: 'xterm-256color',
      CANAL_LAB: 'shop',
      KUBECONFIG: '/run/canal-lab/shop/kubeconfig',
    };
    if (Bun.spawnSync([binary, 'canalctl', 'lab', 'status'], { env: this.#environment }).exitCode !== LAB_ABSENT) {
      throw new Error('there is a lab "shop" on this machine: end it first (canalctl lab down --name shop)');
    }
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.#directory, name), text);
  }

  /** Throws unless it ends with one of the codes. */
  run(words: readonly string[], expected: readonly number[] = [0]): string {
    const [program = '', ...rest] = words;
    const path = program === 'canalctl' ? join(this.#directory, program) : program;
    const options = { cwd: this.#directory, env: this.#environment };
    const { exitCode, stdout, stderr } = Bun.spawnSync([path, ...rest], options);
    if (!expected.includes(exitCode))
      throw new Error(`${words.join(' ')} ended with ${exitCode}: ${stderr.toString()}`);
    return stdout.toString();
  }

  /** What a terminal would show, with colours. */
  shown(command: string): string {
    return this.run(['script', '-qec', command, '/dev/null'], [0, 1, 5]);
  }

  draw(name: PictureName): void {
    const { title, commands } = PICTURES.find((picture) => picture.name === name) ?? fail(`no picture ${name}`);
    const screens = commands.map((command) => ({ command, output: this.shown(command) }));
    const path = join(PICTURES_DIRECTORY, `${name}.svg`);
    writeFileSync(path, terminalPicture({ title, screens }));
    process.stdout.write(`${path}\n`);
  }

  [Symbol.dispose](): void {
    this.run(['canalctl', 'lab', 'down'], [0, LAB_ABSENT]);
    rmSync(this.#directory, { recursive: true });
  }
}

function fail(problem: string): never {
  throw new Error(problem);
}

function drawAll(studio: Studio): void {
  const lab = (...words: readonly string[]): string => studio.run(['canalctl', 'lab', ...words]);
  studio.write('shop.yaml', SHOP);
  studio.write('backup.yaml', BACKUP);
  lab('up', '--nodes', '3', '--pods-per-node', '0');
  lab('apply', '-f', 'shop.yaml');
  for (const [pod, node, label] of PODS) lab('pod', 'add', pod, '--node', node, '--label', label);
  for (const [from, to, passes] of PROBES) studio.run(['canalctl', 'lab', 'probe', from, to], [passes ? 0 : 5]);
  studio.draw('flows');
  studio.draw('policy-explain');
  studio.draw('policy-diff');
  studio.run(['canalctl', 'status', '--lab', 'shop', '--wait', '--timeout', '2m']);
  studio.draw('status-healthy');
  breakLab(studio);
  studio.draw('status-broken');
}

/** node2 loses its policy agent; nobody answers any more what comes through a tunnel to node3. */
function breakLab(studio: Studio): void {
  const status = JSON.parse(studio.run(['canalctl', 'lab', 'status', '-o', 'json'])) as {
    readonly nodes: readonly { readonly name: string; readonly policyAgent: { readonly pid: number } }[];
  };
  const { pid } = status.nodes.find(({ name }) => name === 'node2')?.policyAgent ?? fail('node2 has no policy agent');
  process.kill(pid, 'SIGKILL');
  const rules = 'add table ip fault; add chain ip fault in { type filter hook input priority -400; }';
  const drop = 'add rule ip fault in udp dport 8472 drop';
  studio.run(['canalctl', 'lab', 'node', 'exec', 'node3', '--', 'nft', `${rules}; ${drop}`]);
  const isTold = (): boolean => {
    const told = studio.run(['canalctl', 'status', '--lab', 'shop'], [0, 5]);
    return told.includes('pods of node3') && told.includes('policy-agent does not answer');
  };
  const deadline = performance.now() + 120_000;
  while (!isTold()) {
    if (performance.now() > deadline) fail('canalctl status does not tell what was broken');
    Bun.sleepSync(500);
  }
}

if (import.meta.main) {
  mkdirSync(PICTURES_DIRECTORY, { recursive: true });
  using studio = new Studio(process.env['CANAL_BINARY'] ?? join(ROOT, 'dist/canal'));
  drawAll(studio);
}
