/** canal as a user installs it: kubectl apply of one file, and what stands on the nodes after that. */
import { expect } from 'vitest';
import { AGENT_NAMESPACE, allReady, listAgents, readyByNode } from '../agents.ts';
import { containerMemory } from '../container-memory.ts';
import { eventually } from '../eventually.ts';
import { scenario } from '../scenario.ts';

scenario('install: kubectl apply makes all nodes Ready', { limitMs: 150_000 }, async ({ world, note }) => {
  const { manifest, isInstalled } = world.settings;
  if (isInstalled) {
    await allReady(world, 120_000);
    note('apply to all nodes Ready', 'canal was installed before');
    return;
  }
  expect([...(await readyByNode(world)).values()], 'nodes are Ready without a network').not.toContain(true);
  const startMs = performance.now();
  await world.kubectl(['apply', '-f', manifest]);
  await eventually('all nodes to be Ready', async () => [...(await readyByNode(world)).values()].every(Boolean), {
    withinMs: 120_000,
  });
  note('apply to all nodes Ready', `${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  await allReady(world, 60_000);
  note('apply to all agents Ready', `${((performance.now() - startMs) / 1000).toFixed(1)} s`);
});

scenario('install: the DaemonSet is complete, no agent restarted', { limitMs: 60_000 }, async ({ world }) => {
  const { stdout } = await world.kubectl([
    'rollout',
    'status',
    '-n',
    AGENT_NAMESPACE,
    'daemonset/canal-node',
    '--timeout=30s',
  ]);
  expect(stdout).toContain('successfully rolled out');
  const [nodes, agents] = await Promise.all([world.nodes(), listAgents(world)]);
  expect(agents.map(({ node }) => node).sort()).toEqual(nodes.map(({ name }) => name));
  expect(agents.filter(({ restarts }) => restarts > 0)).toEqual([]);
});

scenario('install: the cluster DNS comes up on it', { limitMs: 120_000 }, async ({ world }) => {
  await world.kubectl(
    ['wait', '-n', 'kube-system', '--for=condition=Ready', 'pod', '-l', 'k8s-app=kube-dns', '--timeout=100s'],
    { timeoutMs: 110_000 },
  );
});

scenario(
  'install: conflist and plugins on each node, no credentials',
  { limitMs: 60_000, needs: ['node-exec'] },
  async ({ world }) => {
    for (const { name } of await world.nodes()) {
      const run = async (...command: string[]): Promise<string> =>
        (await world.nodeExec?.(name, command))?.stdout ?? '';
      const conflist = JSON.parse(await run('cat', '/etc/cni/net.d/10-canal.conflist')) as {
        readonly plugins: readonly { readonly type: string; readonly mode: string }[];
      };
      expect(conflist.plugins[0]).toMatchObject({ type: 'canal', mode: world.settings.podMode });
      expect((await run('stat', '-c', '%a %u', '/etc/cni/net.d/10-canal.conflist')).trim()).toBe('600 0');
      const binaries = (await run('ls', '/opt/cni/bin')).split('\n');
      expect(binaries).toEqual(expect.arrayContaining(['canal', 'loopback']));
      // A token starts with the base64 of {"alg": a kubeconfig names its clusters; a key says so.
      // The search finds three of its own making, so that an empty result means something.
      const secrets = String.raw`cd "$(mktemp -d)" || exit 1
echo '{"token": "eyJhbGciOiJSUzI1NiIs"}' > token; echo clusters: > kubeconfig; echo '-----BEGIN EC PRIVATE KEY-----' > key
grep -rIlE 'eyJhbGciOi|^clusters:|PRIVATE KEY' "$@" . 2>/dev/null; rm -r "$PWD"`;
      const places = ['/etc/cni', '/opt/cni', '/run/flannel', '/run/canal', '/var/lib/canal', '/var/lib/cni'];
      const found = (await run('sh', '-c', secrets, 'secrets', ...places)).trim().split('\n');
      expect(found.sort()).toEqual(['./key', './kubeconfig', './token']);
    }
  },
);

scenario('install: memory of each container', { limitMs: 60_000, needs: ['node-control'] }, async (context) => {
  const { world, control, note } = context;
  for (const { name } of await world.nodes()) {
    for (const { container, rssMb } of await containerMemory(control, name, AGENT_NAMESPACE)) {
      note(`${container} on ${name}`, `${rssMb} MB resident`);
      expect(rssMb).toBeLessThan(200);
    }
  }
});
