import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { FakeKernel } from '@canal/kernel-fake';
import { type KubeObject, NODES } from '@canal/store-port';
import { describeOperation } from '@canal/delta';
import { waitFor } from '@canal/testing';
import { formatCidr, parseInterfaceName, unwrap } from 'net-types';
import {
  addNodes,
  createTestCluster,
  externalInterface,
  FLANNEL_B,
  KEYS,
  NET_CONF,
  nodeObject,
  startReady,
  type TestCluster,
} from './testing/test-cluster.ts';
import { expect, test } from 'vitest';

function destinations({ kernel }: TestCluster): string[] {
  return [...kernel.tables.routes.values()].map(({ destination }) => formatCidr(destination)).sort();
}

function conditionOf(node: KubeObject): unknown {
  const { conditions } = node['status'] as { conditions?: { type: string }[] };
  return conditions?.find(({ type }) => type === 'NetworkUnavailable');
}

test('a node joins: kernel, subnet.env, annotations, condition, probes', async () => {
  await using cluster = createTestCluster(['--ip-masq']);
  await addNodes(cluster.store);
  const { agent, metrics } = await startReady(cluster);
  expect(destinations(cluster)).toEqual(['10.244.1.0/24', '10.244.2.0/24']);
  expect([...cluster.kernel.tables.fdb.values()]).toMatchObject([{ mac: '3a:fd:04:5e:b2:1c' }]);
  expect(cluster.subnetEnv()).toContain('FLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n');
  expect(cluster.trafficKernel.applied.at(-1)?.chains.map(({ name }) => name)).toEqual(['postrouting', 'forward']);
  const node = await waitFor('the condition', async () => {
    const read = await cluster.node('a');
    return conditionOf(read) === undefined ? undefined : read;
  });
  expect(conditionOf(node)).toMatchObject({ status: 'False', reason: 'FlannelIsUp' });
  expect(node.metadata.annotations).toMatchObject({
    [KEYS.subnetManager]: 'true',
    [KEYS.backendType]: 'vxlan',
    [KEYS.publicIp]: '10.0.0.1',
    [KEYS.backendData]: expect.stringMatching(/^\{"VNI":1,"VtepMAC":"[0-9a-f:]{17}"\}$/) as string,
  });
  expect(agent.healthz().ok).toBe(true);
  const text = await metrics();
  expect(text).toContain('canal_peers{state="programmed"} 1');
  expect(text).toContain('canal_apiserver_connected 1');
  expect(text).toMatch(/canal_last_successful_sync_timestamp_seconds \d+/);
  expect(text).not.toMatch(/10\.244\.|10\.0\.0\./);
});

test('nothing is announced and the condition is not set before the kernel has the network', async () => {
  await using cluster = createTestCluster();
  await addNodes(cluster.store);
  const { kernel } = cluster;
  const reached = Promise.withResolvers<undefined>();
  const gate = Promise.withResolvers<undefined>();
  kernel.apply = async (operations, signal) => {
    reached.resolve(undefined);
    await gate.promise;
    return FakeKernel.prototype.apply.call(kernel, operations, signal);
  };
  const { agent } = cluster.start();
  await reached.promise;
  // Longer than a node takes from its start to the condition.
  await Bun.sleep(500);
  const early = await cluster.node('a');
  expect(conditionOf(early)).toBeUndefined();
  expect(early.metadata.annotations ?? {}).toEqual({});
  expect(agent.readyz().ok).toBe(false);
  expect(cluster.subnetEnv()).toBeUndefined();
  gate.resolve(undefined);
  await waitFor('the condition', async () => conditionOf(await cluster.node('a')) !== undefined);
  const { annotations } = (await cluster.node('a')).metadata;
  expect(annotations).toMatchObject({ [KEYS.publicIp]: '10.0.0.1' });
});

test('an MTU that net-conf.json changes arrives in subnet.env while the agent runs, and so does its end', async () => {
  await using cluster = createTestCluster();
  await addNodes(cluster.store);
  await startReady(cluster);
  expect(cluster.subnetEnv()).toContain('FLANNEL_MTU=1450\n');
  cluster.writeNetConf('{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan", "MTU": 1400}}');
  await waitFor('the new MTU', () => cluster.subnetEnv()?.includes('FLANNEL_MTU=1350\n'));
  expect([...cluster.kernel.tables.links.values()].find(({ name }) => name === 'flannel.1')?.mtuBytes).toBe(1350);
  cluster.writeNetConf(NET_CONF);
  await waitFor('the old MTU', () => cluster.subnetEnv()?.includes('FLANNEL_MTU=1450\n'));
});

test('the runtime’s configuration comes last, and makes the node ready', async () => {
  const confDirectory = mkdtempSync(join(tmpdir(), 'canal-net.d-'));
  const template = join(confDirectory, 'template');
  const conf = join(confDirectory, '10-canal.conflist');
  await using cluster = createTestCluster([`--cni-conf-template=${template}`, `--cni-conf-dir=${confDirectory}`]);
  await addNodes(cluster.store);
  cluster.trafficKernel.refusals = 1_000;
  const { agent, metrics } = cluster.start();
  await waitFor('a turn', () => cluster.trafficKernel.refusals < 1_000);
  expect(existsSync(conf)).toBe(false);
  cluster.trafficKernel.refusals = 0;
  await waitFor('the template to be missed', () => agent.readyz().text.includes(template));
  expect(agent.readyz().ok).toBe(false);
  expect(cluster.subnetEnv()).toContain('FLANNEL_SUBNET');
  writeFileSync(template, '{"cniVersion": "1.0.0", "name": "canal", "plugins": [{"type": "canal"}]}');
  await waitFor('readiness', () => agent.readyz().ok);
  const written = readFileSync(conf, 'utf8');
  rmSync(conf);
  await waitFor('the file', () => existsSync(conf), 1_000);
  expect(readFileSync(conf, 'utf8')).toBe(written);
  expect(await metrics()).toContain('canal_dataplane_drift_repairs_total{kind="file"} 1');
  rmSync(confDirectory, { recursive: true });
});

test('pods wait for the policy agent: neither conflist nor condition before it is ready, and both stay afterwards', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'canal-net.d-'));
  const [template, conf, socket] = ['template', '10-canal.conflist', 'sock'].map((name) => join(directory, name));
  writeFileSync(template!, '{"cniVersion": "1.0.0", "name": "canal", "plugins": [{"type": "canal"}]}');
  const conflist = [`--cni-conf-template=${template}`, `--cni-conf-dir=${directory}`];
  await using cluster = createTestCluster([...conflist, `--policy-socket=${socket}`]);
  await addNodes(cluster.store);
  const { agent } = cluster.start();
  const counts = { endpoints: 0, isolated: 0, policies: 0, chains: 0, sets: 0, members: 0 };
  const status = { version: '1', node: 'a', ready: false, notes: ['no pods'], strict: true, streams: [], counts };
  const listener = Bun.listen({
    unix: socket!,
    socket: { data: (client) => void client.write(`${JSON.stringify({ ok: true, value: status })}\n`) },
  });
  await waitFor('the reason', () => agent.readyz().text.includes('waiting for the policy agent: no pods'));
  // What peers and their pods need does not wait.
  await waitFor('the annotations', async () => (await cluster.node('a')).metadata.annotations?.[KEYS.publicIp]);
  expect(cluster.subnetEnv()).toContain('FLANNEL_SUBNET');
  expect([existsSync(conf!), conditionOf(await cluster.node('a'))]).toEqual([false, undefined]);
  status.ready = true;
  await waitFor('readiness', () => agent.readyz().ok);
  expect(existsSync(conf!)).toBe(true);
  const condition = await waitFor('the condition', async () => conditionOf(await cluster.node('a')));
  expect(condition).toMatchObject({ status: 'False' });
  listener.stop(true);
  rmSync(conf!);
  await waitFor('the file', () => existsSync(conf!), 1_000);
  expect(agent.readyz().ok).toBe(true);
  rmSync(directory, { recursive: true });
});

test('a program that writes another conflist 20 times a second gets few answers, one Event and few lines', async () => {
  const confDirectory = mkdtempSync(join(tmpdir(), 'canal-net.d-'));
  const [template, conf] = [join(confDirectory, 'template'), join(confDirectory, '10-canal.conflist')];
  const text = '{"cniVersion": "1.0.0", "name": "canal", "plugins": [{"type": "canal"}]}';
  writeFileSync(template, text);
  await using cluster = createTestCluster([`--cni-conf-template=${template}`, `--cni-conf-dir=${confDirectory}`]);
  await addNodes(cluster.store);
  const { agent, log, metrics } = await startReady(cluster);
  const before = log.records.length;
  for (let i = 0; i < 60; i++) {
    writeFileSync(conf, text.replace('"canal"}]', '"canal", "mode": "bridge"}]'));
    await Bun.sleep(50);
  }
  expect(agent.readyz()).toMatchObject({ ok: false, text: expect.stringContaining('auditctl -w') as string });
  const repairs = Number(/canal_dataplane_drift_repairs_total\{kind="file"\} (\d+)/.exec(await metrics())?.[1]);
  expect(repairs).toBeGreaterThan(0);
  expect(repairs).toBeLessThanOrEqual(5);
  expect(log.records.length - before).toBeLessThanOrEqual(8);
  const type = { group: '', version: 'v1', plural: 'events', kind: 'Event', namespaced: true };
  const events = await waitFor('the event', async () => {
    const all = await cluster.store.list(type);
    return all.some(({ reason }) => reason === 'CNIConfigFight') ? all : undefined;
  });
  expect(events.filter(({ reason }) => reason === 'CNIConfigFight')).toHaveLength(1);
  rmSync(confDirectory, { recursive: true });
});

test('what others remove is put back, counted and told; a peer that goes takes its entries along', async () => {
  await using cluster = createTestCluster();
  await addNodes(cluster.store);
  const { metrics } = await startReady(cluster);
  const route = [...cluster.kernel.tables.routes.values()].find(
    ({ destination }) => formatCidr(destination) === '10.244.2.0/24',
  );
  if (route === undefined) throw new Error('no route');
  cluster.kernel.bySomebodyElse({ type: 'route-delete', route });
  await waitFor('the route', () => destinations(cluster).includes('10.244.2.0/24'), 1_000);
  expect(await metrics()).toContain('canal_dataplane_drift_repairs_total{kind="route"} 1');
  await waitFor('the event', async () => {
    const events = await cluster.store.list({
      group: '',
      version: 'v1',
      plural: 'events',
      kind: 'Event',
      namespaced: true,
    });
    return events.some(({ reason }) => reason === 'DataplaneDriftRepaired');
  });
  await cluster.store.delete(NODES, 'b');
  await waitFor(
    'the removal',
    () => cluster.kernel.tables.fdb.size === 0 && cluster.kernel.tables.neighbours.size === 0,
  );
  expect(destinations(cluster)).toEqual(['10.244.1.0/24']);
  expect(await metrics()).toContain('canal_dataplane_drift_repairs_total{kind="route"} 1');
});

test('what others remove is counted also when it is put back at the second try only', async () => {
  await using cluster = createTestCluster();
  await addNodes(cluster.store);
  const { metrics } = await startReady(cluster);
  const [route] = [...cluster.kernel.tables.routes.values()].filter(
    ({ destination }) => formatCidr(destination) === '10.244.2.0/24',
  );
  if (route === undefined) throw new Error('no route');
  cluster.kernel.failNext('route-add', 'ENODEV');
  cluster.kernel.bySomebodyElse({ type: 'route-delete', route });
  await waitFor('the route', () => destinations(cluster).includes('10.244.2.0/24'));
  await waitFor('the count', async () =>
    (await metrics()).includes('canal_dataplane_drift_repairs_total{kind="route"} 1'),
  );
});

test('a restart over an equal kernel writes nothing, and removes what went away meanwhile', async () => {
  await using cluster = createTestCluster();
  await addNodes(cluster.store);
  const first = await startReady(cluster);
  await waitFor('the annotations', async () => (await cluster.node('a')).metadata.annotations?.[KEYS.publicIp]);
  await first.stop();
  cluster.kernel.written.length = 0;
  const second = await startReady(cluster);
  expect(cluster.kernel.written.map(describeOperation)).toEqual([]);
  await second.stop();
  await cluster.store.delete(NODES, 'b');
  await startReady(cluster);
  await waitFor('the removal', () => !destinations(cluster).includes('10.244.2.0/24'));
});

test('annotations that are stripped, or a node that is made anew, are announced again', async () => {
  await using cluster = createTestCluster();
  await addNodes(cluster.store);
  const { metrics } = await startReady(cluster);
  const announced = async () => (await cluster.node('a')).metadata.annotations?.[KEYS.backendData];
  const data = await waitFor('the annotations', announced);
  const strip = { metadata: { annotations: { [KEYS.backendData]: null, [KEYS.publicIp]: null } } };
  // Stripped before the agent saw them once, they are merely written; so it is done until it counts.
  await waitFor('the count', async () => {
    await cluster.store.mergePatch(NODES, 'a', strip);
    expect(await waitFor('the annotations again', announced)).toBe(data);
    return (await metrics()).includes('canal_dataplane_drift_repairs_total{kind="annotation"}');
  });
  await cluster.store.delete(NODES, 'a');
  await cluster.store.create(NODES, nodeObject('a', '10.244.1.0/24'));
  expect(await waitFor('the annotations of the new node', announced)).toBe(data);
  await waitFor('the condition of the new node', async () => conditionOf(await cluster.node('a')));
});

test('an announcement that somebody else writes over is put back, not obeyed', async () => {
  await using cluster = createTestCluster();
  await addNodes(cluster.store);
  const { kernel } = cluster;
  await startReady(cluster);
  const announced = async () => (await cluster.node('a')).metadata.annotations?.[KEYS.backendData];
  const data = await waitFor('the annotations', announced);
  const deviceMac = () => [...kernel.tables.links.values()].find(({ name }) => name === 'flannel.1')?.mac;
  const mac = deviceMac();
  const taken = FLANNEL_B[KEYS.backendData];
  await cluster.store.mergePatch(NODES, 'a', { metadata: { annotations: { [KEYS.backendData]: taken } } });
  await waitFor('the annotation', async () => (await announced()) === data, 3_000);
  expect(kernel.written.filter(({ type }) => type === 'link-change')).toEqual([]);
  expect(deviceMac()).toBe(mac);
});

test('net-conf.json is followed live; wrong content leaves the old in force', async () => {
  await using cluster = createTestCluster();
  await addNodes(cluster.store);
  const { agent, log, metrics } = await startReady(cluster);
  cluster.writeNetConf('{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan", "VNI": "x"}}');
  await waitFor('the complaint', () =>
    log.records.some(({ fields }) => String(fields['problem']).includes('Backend.VNI is "x"')),
  );
  expect(agent.readyz().ok).toBe(true);
  expect(destinations(cluster)).toContain('10.244.2.0/24');
  await cluster.store.mergePatch(NODES, 'b', { metadata: { annotations: { [KEYS.backendType]: 'host-gw' } } });
  cluster.writeNetConf('{"Network": "10.244.0.0/16", "Backend": {"Type": "host-gw"}}');
  await waitFor(
    'the new backend',
    async () => (await cluster.node('a')).metadata.annotations?.[KEYS.backendType] === 'host-gw',
  );
  await waitFor(
    'the end of the device',
    () => ![...cluster.kernel.tables.links.keys()].some((name) => name.startsWith('flannel')),
  );
  expect(cluster.subnetEnv()).toContain('FLANNEL_MTU=1500');
  const leaseInfo = (await metrics()).split('\n').filter((line) => line.startsWith('canal_lease_info'));
  expect(leaseInfo).toEqual(['canal_lease_info{backend="host-gw",families="IPv4"} 1']);
  expect(log.messages('info')).toContain('problem ended');
});

test('a public address that changes is followed', async () => {
  await using cluster = createTestCluster();
  await addNodes(cluster.store);
  await startReady(cluster);
  cluster.kernel.addInterface(externalInterface('eth0', '10.0.0.77/24'));
  await waitFor(
    'the announcement',
    async () => (await cluster.node('a')).metadata.annotations?.[KEYS.publicIp] === '10.0.0.77',
  );
});

test('public-ip-overwrite is announced while the interface stays', async () => {
  await using cluster = createTestCluster();
  await addNodes(cluster.store);
  await startReady(cluster);
  await cluster.store.mergePatch(NODES, 'a', {
    metadata: { annotations: { [KEYS.publicIpOverwrite]: '203.0.113.9' } },
  });
  await waitFor(
    'the announcement',
    async () => (await cluster.node('a')).metadata.annotations?.[KEYS.publicIp] === '203.0.113.9',
  );
  const [device] = [...cluster.kernel.tables.links.values()].filter(({ kind }) => kind === 'vxlan');
  expect(device?.vxlan?.local).toBe(0x0a00_0001);
});

test('without a pod subnet the agent stays up, says what cures it, and goes on when it comes', async () => {
  await using cluster = createTestCluster();
  await cluster.store.create(NODES, nodeObject('a', undefined));
  const { agent } = cluster.start();
  await waitFor('the reason', () => agent.readyz().text.includes('--allocate-node-cidrs=true'));
  expect(agent.readyz().ok).toBe(false);
  expect(agent.healthz().ok).toBe(true);
  expect(cluster.kernel.written).toEqual([]);
  expect(cluster.subnetEnv()).toBeUndefined();
  await cluster.store.mergePatch(NODES, 'a', { spec: { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24'] } });
  await waitFor('readiness', () => agent.readyz().ok);
});

test('a node that does not exist is named', async () => {
  await using cluster = createTestCluster();
  const { agent } = cluster.start();
  await waitFor('the reason', () => agent.readyz().text.includes('there is no Node object a'));
});

test('subnet.env of a former life is removed before anything else can go wrong', async () => {
  await using cluster = createTestCluster();
  await addNodes(cluster.store);
  mkdirSync(dirname(cluster.config.subnetFile), { recursive: true });
  writeFileSync(
    cluster.config.subnetFile,
    'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.9.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
  );
  cluster.kernel.failNext('link-add', 'EPERM', 1_000);
  const { agent } = cluster.start();
  await waitFor('the removal', () => cluster.subnetEnv() === undefined);
  expect(agent.readyz().ok).toBe(false);
  expect(agent.readyz().text).toContain('link add flannel.1');
});

test('forwarding that is off and cannot be switched on keeps the node from being ready, and says the cure', async () => {
  await using cluster = createTestCluster();
  await addNodes(cluster.store);
  const link = unwrap(parseInterfaceName('eth0'));
  cluster.kernel.putForeign({ sysctl: { link, family: 4, name: 'forwarding', value: 0 } });
  cluster.kernel.failNext('sysctl-set', 'EROFS', 1_000);
  const { agent } = cluster.start();
  await waitFor('the cure', () => agent.readyz().text.includes('sysctl -w net.ipv4.conf.eth0.forwarding=1'));
  expect(cluster.subnetEnv()).toBeUndefined();
});

test('what one node announces wrongly costs that node alone', async () => {
  await using cluster = createTestCluster();
  await addNodes(cluster.store);
  await cluster.store.create(
    NODES,
    nodeObject('c', '10.244.3.0/24', {
      ...FLANNEL_B,
      [KEYS.publicIp]: '10.0.0.3',
      [KEYS.backendData]: '{"VNI":1,"VtepMAC":"ff:ff:ff:ff:ff:ff"}',
    }),
  );
  await cluster.store.create(NODES, nodeObject('d', '192.168.0.0/24', { ...FLANNEL_B, [KEYS.publicIp]: '10.0.0.4' }));
  const { log } = await startReady(cluster);
  expect(destinations(cluster)).toEqual(['10.244.1.0/24', '10.244.2.0/24']);
  const problems = log.records.map(({ fields }) => String(fields['problem']));
  expect(problems.some((text) => text.includes('node c: annotation'))).toBe(true);
  expect(problems.some((text) => text.includes('node d has the pod subnet 192.168.0.0/24'))).toBe(true);
});

test('a drop of others is reported with its cure and keeps nobody from being ready', async () => {
  await using cluster = createTestCluster();
  await addNodes(cluster.store);
  cluster.trafficKernel.drops = [
    {
      family: 'ip',
      table: 'filter',
      chain: 'FORWARD',
      by: 'policy',
      traffic: ['pod-to-pod'],
      undecidedRules: 0,
      message: 'FORWARD drops',
      cure: 'iptables -P FORWARD ACCEPT',
    },
  ];
  const { log, metrics } = await startReady(cluster);
  expect(log.records.some(({ fields }) => String(fields['problem']).includes('iptables -P FORWARD ACCEPT'))).toBe(true);
  expect(await metrics()).toContain('canal_foreign_forward_drops 1');
});

test('rules that the kernel refuses for a moment are tried again soon, however rare the resync', async () => {
  await using cluster = createTestCluster(['--iptables-resync=3600']);
  await addNodes(cluster.store);
  cluster.trafficKernel.refusals = 3;
  const { agent } = cluster.start();
  await waitFor('readiness', () => agent.readyz().ok, 4_000);
});

test('a kernel that cannot be read keeps the node from being ready, before the first sync and after it', async () => {
  await using cluster = createTestCluster(['--iptables-resync=1']);
  await addNodes(cluster.store);
  const { kernel } = cluster;
  kernel.readSnapshot = () => Promise.reject(new Error('no netlink'));
  const { agent } = cluster.start();
  await waitFor('the reason', () => agent.readyz().text.includes('no netlink'), 3_000);
  Reflect.deleteProperty(kernel, 'readSnapshot');
  await waitFor('readiness', () => agent.readyz().ok, 3_000);
  kernel.readSnapshot = () => Promise.reject(new Error('no netlink'));
  await waitFor('the reason again', () => agent.readyz().text.includes('no netlink'), 3_000);
});
