/** Services: by name and by address, from pods, nodes and outside; kube-proxy does them, on the network that canal makes. */
import { expect } from 'vitest';
import { type Dialer, openDialers } from '../dialer.ts';
import { addressOf, type Pod, type Pods, familyOf } from '../pods.ts';
import { scenario, world } from '../scenario.ts';
import { endpointHost, endpointText, type ServiceAddresses, serviceManifest, waitForService } from '../services.ts';

const LIMIT_MS = 180_000;
const APP = { role: 'backend' };
/** Enough that each of three backends is met: missing one by chance happens once in 10^4 runs. */
const TRIES = 24;

const { families, kubeProxy } = world.settings;

interface Backends {
  readonly servers: readonly Pod[];
  readonly client: Pod;
  readonly namespace: string;
}

/** A server on each node, and a client on the first. */
async function startBackends(pods: Pods): Promise<Backends> {
  const nodes = await world.nodes();
  const all = await pods.create([
    { name: 'client', node: nodes[0]?.name ?? '' },
    ...nodes.map(({ name }, index) => ({ name: `backend-${index + 1}`, node: name, labels: APP })),
  ]);
  const [client, ...servers] = all;
  if (client === undefined) throw new Error('no client');
  return { servers, client, namespace: await pods.namespace() };
}

async function service(
  pods: Pods,
  backends: Backends,
  ...options: Parameters<typeof serviceManifest>
): Promise<ServiceAddresses> {
  await pods.apply(serviceManifest(...options));
  return await waitForService(world, backends.namespace, options[0], backends.servers.length);
}

/** Names of the backends that answered, each once. */
async function whoAnswers(dialer: Dialer, host: string): Promise<readonly string[]> {
  const seen = new Set<string>();
  for (let index = 0; index < TRIES; index += 1) {
    seen.add(await dialer.dial({ host, port: 80, request: 'hostname' }));
    seen.add(await dialer.dial({ host, port: 90, request: 'hostname', protocol: 'udp' }));
  }
  return [...seen].sort();
}

const namesOf = (servers: readonly Pod[]): readonly string[] => servers.map(({ name }) => name).sort();

scenario('ClusterIP service, by name and address, TCP and UDP', { limitMs: LIMIT_MS }, async ({ pods, note }) => {
  const backends = await startBackends(pods);
  const { servers, client, namespace } = backends;
  const { clusterIps } = await service(pods, backends, 'web', APP);
  await using dialers = await openDialers(world, [client, ...servers]);
  const dialer = dialers.of(client);
  const hosts = [`web`, `web.${namespace}.svc.cluster.local`, ...clusterIps];
  for (const host of hosts) expect(await whoAnswers(dialer, host), host).toEqual(namesOf(servers));
  expect(clusterIps.map(familyOf)).toEqual(families);
  for (const host of clusterIps) {
    const seen = await dialer.dial({ host, port: 80, request: 'clientip' });
    expect(client.ips, 'the backend sees the pod itself').toContain(endpointHost(seen));
    // A backend reaches itself through its Service: the packet leaves the pod and comes back in.
    for (const server of servers) expect(await whoAnswers(dialers.of(server), host)).toEqual(namesOf(servers));
  }
  note('kube-proxy', kubeProxy);
});

scenario('ClusterIP service from hostNetwork pods', { limitMs: LIMIT_MS }, async ({ pods }) => {
  const backends = await startBackends(pods);
  const { clusterIps } = await service(pods, backends, 'web', APP);
  const nodes = await world.nodes();
  const hosts = await pods.create(
    nodes.map(({ name }, index) => ({
      ...{ name: `host-${index + 1}`, node: name, hostNetwork: true, httpPort: 38080, udpPort: 38081 },
    })),
  );
  await using dialers = await openDialers(world, hosts);
  for (const dialer of dialers.all) {
    for (const host of clusterIps) expect(await whoAnswers(dialer, host)).toEqual(namesOf(backends.servers));
  }
});

scenario('headless service by name', { limitMs: LIMIT_MS }, async ({ pods }) => {
  const backends = await startBackends(pods);
  const { servers, client, namespace } = backends;
  await service(pods, backends, 'peers', APP, { isHeadless: true });
  await using dialers = await openDialers(world, [client]);
  const [dialer] = dialers.all;
  const answer = await dialer?.dial({ host: 'peers', port: 8080, request: 'hostname' });
  expect(namesOf(servers)).toContain(answer);
  for (const server of servers) {
    const name = `only-${server.name}`;
    await pods.apply(serviceManifest(name, { app: server.name }, { isHeadless: true }));
    await waitForService(world, namespace, name, 1);
    expect(await dialer?.dial({ host: name, port: 8080, request: 'hostname' })).toBe(server.name);
  }
});

scenario('the API server by its service, from each node', { limitMs: LIMIT_MS }, async ({ pods }) => {
  const { client, servers } = await startBackends(pods);
  for (const pod of [client, ...servers]) {
    await pod.exec(['/agnhost', 'connect', 'kubernetes.default.svc.cluster.local:443', '--timeout=3s']);
  }
});

scenario('NodePort from a machine outside', { limitMs: LIMIT_MS, needs: ['outside'] }, async ({ pods }) => {
  const { outside } = world;
  if (outside === undefined) throw new Error('no machine outside');
  const backends = await startBackends(pods);
  const { servers } = backends;
  const everywhere = await service(pods, backends, 'everywhere', APP, { type: 'NodePort' });
  const local = await service(pods, backends, 'local', APP, { type: 'NodePort', externalTrafficPolicy: 'Local' });
  for (const node of await world.nodes()) {
    for (const family of families) {
      const ip = addressOf(node.name, node.ips, family);
      const seen = new Set<string>();
      for (let index = 0; index < TRIES / 2; index += 1) {
        seen.add(await outside.get(`http://${endpointText(ip, everywhere.nodePorts.tcp)}/hostname`));
      }
      expect([...seen].sort(), `through ${node.name}`).toEqual(namesOf(servers));
      const udp = [endpointText(ip, everywhere.nodePorts.udp), '--protocol=udp', '--timeout=3s'];
      await outside.exec([outside.agnhost, 'connect', ...udp]);
      const direct = endpointText(ip, local.nodePorts.tcp);
      const own = servers.find((server) => server.node === node.name);
      expect(await outside.get(`http://${direct}/hostname`)).toBe(own?.name);
      const client = await outside.get(`http://${direct}/clientip`);
      expect(outside.ips, 'externalTrafficPolicy Local keeps the source').toContain(endpointHost(client));
    }
  }
});
