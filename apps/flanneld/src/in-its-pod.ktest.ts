/** The agent as its pod runs it: configuration from a ConfigMap's volume, the runtime's directory, the capabilities of deploy/canal.yaml. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createEmbeddedServer } from '@canal/store-embedded';
import { createKubeStore, fixedCredentials, Secret } from '@canal/store-kube';
import { type KubeObject, NODES } from '@canal/store-port';
import { createSystemClock } from '@canal/telemetry';
import { connectNetns, createTestNetns, type TestNetns, waitFor } from '@canal/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';

const MAIN = resolve(import.meta.dirname, '../../canal/src/main.ts');
const PREFIX = 'flannel.alpha.coreos.com/';

/** A real flanneld process in a network namespace, its API server on the loopback there, one peer that answers pings. */
interface OneNode {
  readonly netns: TestNetns;
  readonly directory: string;
  /** Mounted as the kubelet mounts a ConfigMap: `..data` is a link that is swapped. */
  readonly configDirectory: string;
  readonly confDirectory: string;
  writeConfig(files: Readonly<Record<string, string>>): void;
  /** `wrapper` is put before the program's command line. */
  start(options?: { readonly wrapper?: readonly string[]; readonly argv?: readonly string[] }): void;
  kill(): Promise<void>;
  /** Ends the API server for good. */
  closeServer(): Promise<void>;
  probe(path: string): { readonly status: string; readonly body: string };
  log(): string;
  [Symbol.asyncDispose](): Promise<void>;
}

async function createOneNode(): Promise<OneNode> {
  const directory = mkdtempSync(join(tmpdir(), 'canal-one-node-'));
  const server = createEmbeddedServer({ tokens: [{ token: 'test', user: 'agent' }] });
  const netns = createTestNetns('one');
  const peer = createTestNetns('peer');
  connectNetns(
    { netns, name: 'eth0', addresses: ['192.168.50.1/24'] },
    { netns: peer, name: 'eth0', addresses: ['192.168.50.2/24'] },
  );
  netns.run(['ip', 'route', 'add', 'default', 'dev', 'eth0']);
  const { url } = netns.within(() => server.listen({ hostname: '127.0.0.1', port: 0 }));
  const kubeconfig = join(directory, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigText(url));
  const outer = server.listen({ hostname: '127.0.0.1', port: 0 });
  const connection = { baseUrl: outer.url, credentials: fixedCredentials({ token: new Secret('test') }) };
  const store = createKubeStore({ connection, clock: createSystemClock() });
  await store.create(NODES, nodeObject('a', '10.244.1.0/24', {}));
  const announced = { [`${PREFIX}backend-type`]: 'host-gw', [`${PREFIX}public-ip`]: '192.168.50.2' };
  const managed = { [`${PREFIX}kube-subnet-manager`]: 'true', [`${PREFIX}backend-data`]: 'null' };
  await store.create(NODES, nodeObject('b', '10.244.2.0/24', { ...announced, ...managed }));
  const configDirectory = join(directory, 'config');
  const confDirectory = join(directory, 'net.d');
  const logFile = join(directory, 'log');
  let running: ReturnType<typeof Bun.spawn> | undefined;
  let generation = 0;
  let serverOpen = true;
  const node: OneNode = {
    netns,
    directory,
    configDirectory,
    confDirectory,
    writeConfig(files) {
      const data = `..${++generation}`;
      mkdirSync(join(configDirectory, data), { recursive: true });
      for (const [name, text] of Object.entries(files)) writeFileSync(join(configDirectory, data, name), text);
      symlinkSync(data, join(configDirectory, '..data_tmp'));
      renameSync(join(configDirectory, '..data_tmp'), join(configDirectory, '..data'));
      if (generation > 1) return;
      for (const name of Object.keys(files)) symlinkSync(join('..data', name), join(configDirectory, name));
    },
    start({ wrapper = [], argv = [] } = {}) {
      const command = [...wrapper, process.execPath, MAIN, 'flanneld', ...flags(), ...argv];
      const env = { NODE_NAME: 'a', PATH: process.env['PATH'] ?? '' };
      running = netns.within(() =>
        Bun.spawn(command, { env, stdin: 'ignore', stdout: 'ignore', stderr: Bun.file(logFile) }),
      );
    },
    async kill() {
      running?.kill('SIGKILL');
      await running?.exited;
      running = undefined;
    },
    async closeServer() {
      serverOpen = false;
      await server.close();
    },
    probe(path) {
      const { stdout } = netns.exec(['curl', '-s', '-w', '\n%{http_code}', `http://127.0.0.1:8081${path}`]);
      const end = stdout.lastIndexOf('\n');
      return { status: stdout.slice(end + 1), body: stdout.slice(0, end) };
    },
    log: () => readFileSync(logFile, 'utf8'),
    async [Symbol.asyncDispose]() {
      await node.kill();
      netns[Symbol.dispose]();
      peer[Symbol.dispose]();
      if (serverOpen) await server.close();
      rmSync(directory, { recursive: true });
    },
  };
  return node;

  function flags(): string[] {
    return [
      '--kube-subnet-mgr',
      `--kubeconfig-file=${kubeconfig}`,
      `--net-config-path=${configDirectory}/net-conf.json`,
      `--cni-conf-template=${configDirectory}/cni-conf.json`,
      `--cni-conf-dir=${confDirectory}`,
      `--subnet-file=${directory}/run/subnet.env`,
      `--cni-state-dir=${directory}/state`,
      `--cni-data-dir=${directory}/networks`,
      `--cni-cache-dir=${directory}/cache`,
      // What is seen sooner was seen by an event.
      '--iptables-resync=3600',
      '--healthz-ip=127.0.0.1',
      '--healthz-port=8081',
    ];
  }
}

function nodeObject(name: string, podCIDR: string, annotations: Readonly<Record<string, string>>): KubeObject {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, annotations }, spec: { podCIDR, podCIDRs: [podCIDR] } };
}

function kubeconfigText(url: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: url } }],
    users: [{ name: 'u', user: { token: 'test' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  });
}

const VXLAN = '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}';
const HOST_GW = '{"Network": "10.244.0.0/16", "Backend": {"Type": "host-gw"}}';
const CANAL = '{"cniVersion": "1.0.0", "name": "canal", "plugins": [{"type": "canal"}]}\n';
const BRIDGE = '{"cniVersion": "1.0.0", "name": "canal", "plugins": [{"type": "canal", "mode": "bridge"}]}\n';
const CALICO = '{"cniVersion": "0.3.1", "name": "k8s", "plugins": [{"type": "calico"}]}\n';

let node: OneNode;
const conf = (): string => join(node.confDirectory, '10-canal.conflist');
const read = (): string | undefined => (existsSync(conf()) ? readFileSync(conf(), 'utf8') : undefined);
const isReady = (): boolean => node.probe('/readyz').status === '200';

beforeEach(async () => {
  node = await createOneNode();
});

afterEach(async () => {
  await node[Symbol.asyncDispose]();
});

test('written when the node forwards, followed live, put back within a second, left when the agent ends', async () => {
  node.writeConfig({ 'net-conf.json': 'not JSON', 'cni-conf.json': CANAL });
  node.start();
  await waitFor('the complaint', () => node.probe('/readyz').body.includes('net-conf.json'), 20_000);
  expect(node.probe('/livez').status).toBe('200');
  expect(read()).toBeUndefined();
  node.writeConfig({ 'net-conf.json': HOST_GW, 'cni-conf.json': CANAL });
  await waitFor('readiness', isReady, 1_000);
  expect(read()).toBe(CANAL);
  expect(statSync(conf()).mode & 0o777).toBe(0o600);
  expect(existsSync(join(node.directory, 'run/subnet.env'))).toBe(true);

  node.writeConfig({ 'net-conf.json': HOST_GW, 'cni-conf.json': BRIDGE });
  await waitFor('the new template', () => read() === BRIDGE, 1_000);
  unlinkSync(conf());
  await waitFor('the deleted file', () => read() === BRIDGE, 1_000);
  writeFileSync(conf(), BRIDGE.slice(0, 20));
  await waitFor('the cut file', () => read() === BRIDGE, 1_000);
  await node.kill();
  expect(readdirSync(node.confDirectory)).toEqual(['10-canal.conflist']);

  // An agent that comes back to a node without API server leaves what makes pods start.
  const before = statSync(conf(), { bigint: true });
  await node.closeServer();
  node.start();
  await waitFor(
    'the first complaint',
    () => node.probe('/readyz').body.includes('waiting for the list of nodes'),
    20_000,
  );
  const after = statSync(conf(), { bigint: true });
  expect([after.ino, after.mtimeNs]).toEqual([before.ino, before.mtimeNs]);
});

test('another CNI’s files are told by name and stay byte for byte', async () => {
  mkdirSync(node.confDirectory);
  writeFileSync(conf(), CALICO);
  writeFileSync(join(node.confDirectory, '05-other.conf'), '{"type": "other"}');
  node.writeConfig({ 'net-conf.json': HOST_GW, 'cni-conf.json': CANAL });
  node.start();
  await waitFor('the complaint', () => node.probe('/readyz').body.includes('another CNI (calico)'), 20_000);
  expect(node.probe('/readyz')).toMatchObject({
    status: '503',
    body: expect.stringContaining('05-other.conf') as string,
  });
  expect(read()).toBe(CALICO);
  unlinkSync(conf());
  await waitFor('readiness', isReady, 1_000);
  expect(read()).toBe(CANAL);
  expect(node.probe('/readyz').body).toMatch(/^ok\n.*05-other\.conf \(other\) comes before/);
  unlinkSync(join(node.confDirectory, '05-other.conf'));
  await waitFor('the end of it', () => !node.probe('/readyz').body.includes('05-other.conf'), 1_000);
});

/** /proc/sys read-only and its net/ mounted elsewhere, as in the DaemonSet's container. */
const MOUNTS = [
  'mount -t tmpfs none /mnt && mkdir /mnt/net && mount --bind /proc/sys/net /mnt/net',
  'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys',
].join(' && ');

function confined(capabilities: readonly string[]): readonly string[] {
  const set = ['-all', ...capabilities.map((name) => `+${name}`)].join(',');
  const setpriv = `exec setpriv --bounding-set=${set} --inh-caps=-all --no-new-privs "$@"`;
  return ['unshare', '-m', 'sh', '-c', `${MOUNTS} && ${setpriv}`, 'sh'];
}

test('NET_ADMIN and NET_RAW: the network is programmed, switches of /proc/sys too, peers are pinged', async () => {
  node.writeConfig({ 'net-conf.json': VXLAN, 'cni-conf.json': CANAL });
  node.start({ wrapper: confined(['net_admin', 'net_raw']), argv: ['--ip-masq', '--sysctl-net-dir=/mnt/net'] });
  await waitFor('readiness', () => node.probe('/readyz').status === '200', 20_000);
  expect(node.netns.run(['sysctl', '-n', 'net.ipv6.conf.flannel/1.accept_ra', 'net.ipv4.conf.all.forwarding'])).toBe(
    '0\n1\n',
  );
  const answering = 'canal_peers_reachable{state="answering"} 1';
  await waitFor('an answer', () => node.probe('/metrics').body.includes(answering), 10_000);
  expect(node.probe('/metrics').body).toContain('canal_problems{severity="error"} 0');
  expect(node.log()).not.toMatch(/EPERM|EACCES|EROFS/);
});

test('without NET_RAW no peer is pinged, and nothing else is missing', async () => {
  node.writeConfig({ 'net-conf.json': VXLAN, 'cni-conf.json': CANAL });
  node.start({ wrapper: confined(['net_admin']), argv: ['--sysctl-net-dir=/mnt/net'] });
  await waitFor('readiness', () => node.probe('/readyz').status === '200', 20_000);
  await waitFor('the log line', () => node.log().includes('peers are not pinged'), 10_000);
  expect(node.log()).toContain('EPERM');
});

test('without NET_ADMIN nothing is programmed, which the probe says, and no pod is let in', async () => {
  node.writeConfig({ 'net-conf.json': VXLAN, 'cni-conf.json': CANAL });
  node.start({ wrapper: confined(['net_raw']), argv: ['--sysctl-net-dir=/mnt/net'] });
  await waitFor('the reason', () => node.probe('/readyz').body.includes('EPERM'), 20_000);
  expect(node.probe('/readyz').status).toBe('503');
  expect(existsSync(join(node.confDirectory, '10-canal.conflist'))).toBe(false);
});
