/** Services: by name and by address, from pods, nodes and outside; kube-proxy does them, on the network that canal makes. */
import { expect } from 'vitest';
import { type Dialer, openDialers } from '../dialer.ts';
import { addressOf, type Pod, type Pods, familyOf } from '../pods.ts';
import { eventually } from '../eventually.ts';
import { scenario, world } from '../scenario.ts';
import { endpointHost, endpointText, type ServiceAddresses, serviceManifest, waitForService } from '../services.ts';
import type { Outside } from '../world.ts';

const LIMIT_MS = 180_000;
const APP = { role: 'backend' };
/** Enough that each of three backends is met: missing one by chance happens once in 10^4 runs. */
const SERVED_MS = 15_000;
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

/** kube-proxy follows an EndpointSlice within a second or two; from then on each request must be served. */
async function expectServed(dialer: Dialer, host: string, servers: readonly Pod[]): Promise<void> {
  const expected = namesOf(servers);
  await eventually(
    `kube-proxy of ${dialer.pod.node} to serve ${host}`,
    async () => (await whoAnswers(dialer, host)).join() === expected.join(),
    { withinMs: SERVED_MS },
  );
  expect(await whoAnswers(dialer, host), `${dialer.pod.name} to ${host}`).toEqual(expected);
}

const namesOf = (servers: readonly Pod[]): readonly string[] => servers.map(({ name }) => name).sort();

scenario('ClusterIP service, by name and address, TCP and UDP', { limitMs: LIMIT_MS }, async ({ pods, note }) => {
  const backends = await startBackends(pods);
  const { servers, client, namespace } = backends;
  const { clusterIps } = await service(pods, backends, 'web', APP);
  await using dialers = await openDialers(world, [client, ...servers]);
  const dialer = dialers.of(client);
  const hosts = [`web`, `web.${namespace}.svc.cluster.local`, ...clusterIps];
  for (const host of hosts) await expectServed(dialer, host, servers);
  expect(clusterIps.map(familyOf)).toEqual(families);
  for (const host of clusterIps) {
    const seen = await dialer.dial({ host, port: 80, request: 'clientip' });
    expect(client.ips, 'the backend sees the pod itself').toContain(endpointHost(seen));
    // A backend reaches itself through its Service: the packet leaves the pod and comes back in.
    for (const server of servers) await expectServed(dialers.of(server), host, servers);
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
    for (const host of clusterIps) await expectServed(dialer, host, backends.servers);
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

/** All of these backends and no other answer at a NodePort. */
async function expectServedOutside(outside: Outside, endpoint: string, servers: readonly Pod[]): Promise<void> {
  const ask = async (): Promise<string> => {
    const answers = await outside.get(`http://${endpoint}/hostname`, TRIES);
    return [...new Set(answers)].sort().join();
  };
  const expected = namesOf(servers).join();
  await eventually(`${endpoint} to be served`, async () => (await ask()) === expected, { withinMs: SERVED_MS });
  expect(await ask(), endpoint).toBe(expected);
}

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
      await expectServedOutside(outside, endpointText(ip, everywhere.nodePorts.tcp), servers);
      const udp = [endpointText(ip, everywhere.nodePorts.udp), '--protocol=udp', '--timeout=3s'];
      await outside.exec([outside.agnhost, 'connect', ...udp]);
      const direct = endpointText(ip, local.nodePorts.tcp);
      const own = servers.find((server) => server.node === node.name);
      await expectServedOutside(outside, direct, own === undefined ? [] : [own]);
      const [client = ''] = await outside.get(`http://${direct}/clientip`);
      expect(outside.ips, 'externalTrafficPolicy Local keeps the source').toContain(endpointHost(client));
    }
  }
});
