/** The policy agent that ships, on a node of a benchmark, over an API server that knows the node's pods. */
import { writeFileSync } from 'node:fs';
import { withNetns } from '@canal/linux-ffi';
import { createEmbeddedServer } from '@canal/store-embedded';
import { createKubeStore, fixedCredentials, Secret } from '@canal/store-kube';
import { type KubeObject, NODES, PODS } from '@canal/store-port';
import { createSystemClock } from '@canal/telemetry';

export interface BenchPolicyAgent extends AsyncDisposable {
  /** By the names of the pods. */
  readonly uids: ReadonlyMap<string, string>;
}

export interface BenchPolicyAgentOptions {
  readonly binary: string;
  /** Path of the node's namespace; its loopback is up. */
  readonly netns: string;
  readonly folder: string;
  readonly socket: string;
  readonly podNames: readonly string[];
}

const READY_MS = 20_000;

/** Resolves when it is ready. */
export async function startBenchPolicyAgent(options: BenchPolicyAgentOptions): Promise<BenchPolicyAgent> {
  const { binary, netns, folder, socket, podNames } = options;
  const server = createEmbeddedServer({ tokens: [{ token: 'bench', user: 'agent' }] });
  const outer = server.listen({ hostname: '127.0.0.1', port: 0 });
  const { url } = withNetns(netns, () => server.listen({ hostname: '127.0.0.1', port: 0 }));
  const connection = { baseUrl: outer.url, credentials: fixedCredentials({ token: new Secret('bench') }) };
  const store = createKubeStore({ connection, clock: createSystemClock() });
  await store.create(NODES, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'bench' } });
  const uids = new Map<string, string>();
  for (const name of podNames) uids.set(name, (await store.create(PODS, podObject(name))).metadata.uid ?? '');
  writeFileSync(`${folder}/kubeconfig`, kubeconfigText(url));
  const argv = [
    `--kubeconfig-file=${folder}/kubeconfig`,
    `--net-config-path=${folder}/net-conf.json`,
    `--socket=${socket}`,
    `--cni-state-dir=${folder}/state`,
    '--healthz-port=0',
  ];
  const env = { NODE_NAME: 'bench', PATH: process.env['PATH'] ?? '' };
  const log = Bun.file(`${folder}/policy-agent.log`);
  const agent = withNetns(netns, () =>
    Bun.spawn([binary, 'policy-agent', ...argv], { env, stdin: 'ignore', stdout: 'ignore', stderr: log }),
  );
  const end = performance.now() + READY_MS;
  while (!(await log.text().catch(() => '')).includes('first full sync done')) {
    if (performance.now() > end) throw new Error(`the policy agent is not ready: ${await log.text()}`);
    await Bun.sleep(20);
  }
  return {
    uids,
    async [Symbol.asyncDispose]() {
      agent.kill('SIGKILL');
      await agent.exited;
      await server.close();
    },
  };
}

function podObject(name: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: { app: name } },
    spec: { nodeName: 'bench', containers: [{ name: 'c', image: 'none' }] },
  };
}

function kubeconfigText(url: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: url } }],
    users: [{ name: 'u', user: { token: 'bench' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  });
}
