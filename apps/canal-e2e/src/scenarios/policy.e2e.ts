/** NetworkPolicy: what pods reach under it, on one node and across nodes, by address and by service, whatever the agent does. */
import { expect } from 'vitest';
import { agentContainer } from '../agents.ts';
import { trafficEndpoints } from '../pod-identity.ts';
import { openPods, type Pod, type Pods } from '../pods.ts';
import { expectProbes, type Probe } from '../policy-probe.ts';
import { scenario, type ScenarioContext, world } from '../scenario.ts';
import { podOnEachNode } from '../stream-scenario.ts';
import { serviceManifest, waitForService } from '../services.ts';
import { describeTraffic, startTraffic, type StreamReport } from '../traffic-stream.ts';

const LIMIT_MS = 180_000;
const { families } = world.settings;
const TABLE = ['inet', 'canal-policy'] as const;

interface Cast {
  readonly server: Pod;
  /** On the server's node, on another, and in another namespace on another node. */
  readonly near: Pod;
  readonly far: Pod;
  readonly foreign: Pod;
  readonly serviceIps: readonly string[];
}

async function startCast({ pods, cleanup }: ScenarioContext): Promise<Cast> {
  const [first, second] = await world.nodes();
  if (first === undefined || second === undefined) throw new Error('policy is judged on two nodes or more');
  const other = openPods(world, 'policy-other');
  cleanup(() => other.close());
  const [[server, near, far], [foreign]] = await Promise.all([
    pods.create([
      { name: 'server', node: first.name, labels: { role: 'server' } },
      { name: 'near', node: first.name, labels: { role: 'client' } },
      { name: 'far', node: second.name, labels: { role: 'client', place: 'far' } },
    ]),
    other.create([{ name: 'foreign', node: second.name, labels: { role: 'client' } }]),
  ]);
  if (server === undefined || near === undefined || far === undefined || foreign === undefined)
    throw new Error('no pod');
  const namespace = await pods.namespace();
  await pods.apply(serviceManifest('server', { role: 'server' }));
  const { clusterIps } = await waitForService(world, namespace, 'server', 1);
  return { server, near, far, foreign, serviceIps: clusterIps };
}

/** By pod address and by service, TCP and UDP, every family. */
function probesTo({ server, serviceIps }: Cast, from: Pod, expected: Probe['expected']): readonly Probe[] {
  return [
    ...families.flatMap((family) => [
      { from, host: server.ip(family), port: server.httpPort, protocol: 'tcp', expected } as const,
      { from, host: server.ip(family), port: server.udpPort, protocol: 'udp', expected } as const,
    ]),
    ...serviceIps.flatMap((host) => [
      { from, host, port: 80, protocol: 'tcp', expected } as const,
      { from, host, port: 90, protocol: 'udp', expected } as const,
    ]),
  ];
}

function policy(name: string, spec: object): object {
  return { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name }, spec };
}

const SERVER = { matchLabels: { role: 'server' } };

async function remove(pods: Pods, ...names: readonly string[]): Promise<void> {
  await world.kubectl(['delete', 'networkpolicy', '-n', await pods.namespace(), ...names]);
}

scenario(
  'policy: ingress denied, then allowed by selectors, blocks and ports',
  { limitMs: LIMIT_MS },
  async (context) => {
    const { pods } = context;
    const cast = await startCast(context);
    const { server, near, far, foreign } = cast;
    const all = (
      nearIs: Probe['expected'],
      farIs: Probe['expected'],
      foreignIs: Probe['expected'],
    ): readonly Probe[] => [
      ...probesTo(cast, near, nearIs),
      ...probesTo(cast, far, farIs),
      ...probesTo(cast, foreign, foreignIs),
    ];
    await expectProbes('no policy: all reach', all('reaches', 'reaches', 'reaches'));

    await pods.apply(policy('deny', { podSelector: SERVER, policyTypes: ['Ingress'] }));
    await expectProbes('isolated: none reach', all('denied', 'denied', 'denied'));
    await expectProbes('what is isolated for ingress may still ask', [
      { from: server, host: far.ip(), port: far.httpPort, protocol: 'tcp', expected: 'reaches' },
    ]);
    const ready = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}';
    await Bun.sleep(3_500);
    const { stdout } = await world.kubectl(['get', 'pod', '-n', server.namespace, server.name, '-o', ready]);
    expect(stdout, "its own node's probes pass").toBe('True');

    await pods.apply(
      policy('allow', {
        podSelector: SERVER,
        ingress: [{ from: [{ podSelector: { matchLabels: { place: 'far' } } }] }],
      }),
    );
    await expectProbes('one pod of the namespace', all('denied', 'reaches', 'denied'));

    const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': foreign.namespace } };
    const podSelector = { matchLabels: { role: 'client' } };
    await pods.apply(
      policy('allow', { podSelector: SERVER, ingress: [{ from: [{ namespaceSelector, podSelector }] }] }),
    );
    await expectProbes('both selectors of one item hold', all('denied', 'denied', 'reaches'));
    await pods.apply(
      policy('allow', { podSelector: SERVER, ingress: [{ from: [{ namespaceSelector }, { podSelector }] }] }),
    );
    await expectProbes('either of two items holds', all('reaches', 'reaches', 'reaches'));

    const blocks = families.map((family) => ({
      ipBlock:
        family === 'ipv4'
          ? { cidr: '0.0.0.0/0', except: [`${far.ip(family)}/32`] }
          : { cidr: '::/0', except: [`${far.ip(family)}/128`] },
    }));
    await pods.apply(policy('allow', { podSelector: SERVER, ingress: [{ from: blocks }] }));
    await expectProbes('a block but for one address', all('reaches', 'denied', 'reaches'));

    const ports = [{ protocol: 'TCP', port: 8000, endPort: 8080 }];
    await pods.apply(policy('allow', { podSelector: SERVER, ingress: [{ ports }] }));
    await expectProbes(
      'TCP alone',
      [near, far, foreign].flatMap((from) =>
        probesTo(cast, from, 'reaches').map((probe) => ({
          ...probe,
          expected: probe.protocol === 'tcp' ? ('reaches' as const) : ('denied' as const),
        })),
      ),
    );

    await remove(pods, 'deny', 'allow');
    await expectProbes('policies gone: all reach', all('reaches', 'reaches', 'reaches'));
  },
);

scenario('policy: egress denied, then allowed to a pod', { limitMs: LIMIT_MS }, async (context) => {
  const { pods } = context;
  const cast = await startCast(context);
  const { server, far, near, foreign } = cast;
  await pods.apply(policy('deny', { podSelector: { matchLabels: { place: 'far' } }, policyTypes: ['Egress'] }));
  await expectProbes('one pod may ask nobody', [...probesTo(cast, far, 'denied'), ...probesTo(cast, near, 'reaches')]);
  await expectProbes('and may be asked', [
    { from: near, host: far.ip(), port: far.httpPort, protocol: 'tcp', expected: 'reaches' },
  ]);
  await pods.apply(
    policy('allow', {
      podSelector: { matchLabels: { place: 'far' } },
      policyTypes: ['Egress'],
      egress: [{ to: [{ podSelector: SERVER }] }],
    }),
  );
  await expectProbes('the server alone, by its service too', [
    ...probesTo(cast, far, 'reaches'),
    { from: far, host: near.ip(), port: near.httpPort, protocol: 'tcp', expected: 'denied' },
    { from: far, host: foreign.ip(), port: foreign.httpPort, protocol: 'tcp', expected: 'denied' },
  ]);
  expect(server.namespace).not.toBe(foreign.namespace);
});

/** Isolates one of the pods that talk, both ways, and gives when the API server had said that it has the policy. */
async function isolate(pods: Pods, pod: Pod): Promise<number> {
  await pods.apply(
    policy('isolate', { podSelector: { matchLabels: { app: pod.name } }, policyTypes: ['Ingress', 'Egress'] }),
  );
  return Date.now();
}

/** From the first lost packet on not one arrived: that is one loss. Gives the time from the policy's being stored to the cut. */
function cutAfterMs(stream: StreamReport, storedAtMs: number, text: string): number {
  const [loss, ...more] = stream.losses;
  expect(more, `packets arrived after the flow was cut\n${text}`).toEqual([]);
  expect(loss?.packets, text).toBe(stream.lost);
  expect(stream.lost, text).toBeGreaterThan(0);
  return (loss?.atMs ?? Infinity) - storedAtMs;
}

/** A stream's sender says its family behind its name. */
function touches({ from, to }: StreamReport, pod: Pod): boolean {
  const name = `${pod.name} on ${pod.node}`;
  return from.startsWith(name) || to === name;
}

const CUT_WITHIN_MS = 1_000;

scenario(
  'policy: running flows are cut within a second and stay cut while agents are killed',
  { limitMs: LIMIT_MS, needs: ['node-control'] },
  async (context) => {
    const { control, note, pods } = context;
    const streams = await podOnEachNode(context);
    const [first] = streams;
    if (first === undefined) throw new Error('no pod');
    const [free] = await pods.create([{ name: 'free', node: first.node }]);
    if (free === undefined) throw new Error('no pod');
    const all = [...streams, free];
    await using traffic = await startTraffic(await trafficEndpoints(control, all));
    const storedAtMs = await isolate(pods, first);
    await Bun.sleep(3_000);
    let kills = 0;
    for (let round = 0; round < 3; round++) {
      for (const { name } of await world.nodes()) {
        const agent = await agentContainer(control, name, 'policy-agent');
        if (agent === undefined) continue;
        await control.exec(name, ['kill', '-9', String(agent.pid)], { allowFailure: true });
        kills++;
      }
      await Bun.sleep(4_000);
    }
    const report = await traffic.stop();
    const text = describeTraffic(report);
    const cut = report.streams.filter((stream) => touches(stream, first));
    const others = report.streams.filter((stream) => !cut.includes(stream));
    const slowest = Math.max(...cut.map((stream) => cutAfterMs(stream, storedAtMs, text)));
    note('from the end of kubectl apply to the cut', `${slowest.toFixed(0)} ms`);
    note('agents killed', `${kills} times`);
    expect(slowest, text).toBeLessThan(CUT_WITHIN_MS);
    expect(cut.length).toBeGreaterThan(0);
    expect(others.length).toBeGreaterThan(0);
    expect(
      others.map(({ lost }) => lost),
      text,
    ).toEqual(others.map(() => 0));
    expect(kills).toBeGreaterThan(0);
  },
);

scenario(
  'policy: a table that others delete is back within a second',
  { limitMs: LIMIT_MS, needs: ['node-control'] },
  async (context) => {
    const { control, note, pods } = context;
    const streams = await podOnEachNode(context);
    const [first, second] = streams;
    if (first === undefined || second === undefined) throw new Error('no pods');
    await using traffic = await startTraffic(await trafficEndpoints(control, streams));
    await isolate(pods, first);
    await Bun.sleep(3_000);
    await control.exec(first.node, ['nft', 'delete', 'table', ...TABLE]);
    await control.exec(second.node, ['nft', 'flush', 'ruleset', 'inet']);
    await Bun.sleep(3_000);
    for (const node of [first.node, second.node]) await control.exec(node, ['nft', 'list', 'table', ...TABLE]);
    const report = await traffic.stop();
    const text = describeTraffic(report);
    // A loss before the table was deleted, and one from its return to the end; between them the table was away.
    for (const stream of report.streams.filter((each) => touches(each, first))) {
      const [one, two, ...more] = stream.losses.toSorted((a, b) => a.atMs - b.atMs);
      expect(more, text).toEqual([]);
      expect(one?.packets, text).toBeGreaterThan(0);
      // Back before a packet came by.
      if (one === undefined || two === undefined) continue;
      const openMs = two.atMs - (one.atMs + one.durationMs);
      note(`${stream.from} -> ${stream.to}: open for`, `${openMs.toFixed(0)} ms`);
      expect(openMs, text).toBeLessThan(1_000);
    }
  },
);

/** A pod whose only program asks from its first moment on; it has succeeded when it was answered once. */
function askerManifest(name: string, namespace: string, node: string, host: string, port: number): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { role: 'asker' } },
    spec: {
      nodeName: node,
      restartPolicy: 'Never',
      serviceAccountName: 'pod',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 1,
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          name: 'agnhost',
          image: 'registry.k8s.io/e2e-test-images/agnhost:2.53',
          imagePullPolicy: 'IfNotPresent',
          args: ['connect', host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`, '--timeout=2s'],
        },
      ],
    },
  };
}

async function phasesOf(names: readonly string[], namespace: string): Promise<readonly string[]> {
  const path = 'jsonpath={range .items[*]}{.metadata.name} {.status.phase}{"\\n"}{end}';
  const { stdout } = await world.kubectl(['get', 'pods', '-n', namespace, '-l', 'role=asker', '-o', path]);
  const phases = new Map(stdout.split('\n').map((line) => [line.split(' ')[0] ?? '', line.split(' ')[1] ?? '']));
  return names.map((name) => phases.get(name) ?? 'gone');
}

async function askAtOnce(
  context: ScenarioContext,
  prefix: string,
  count: number,
  server: Pod,
): Promise<readonly string[]> {
  const { pods, signal } = context;
  const nodes = await world.nodes();
  const namespace = await pods.namespace();
  const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
  const perRound = 20;
  for (let from = 0; from < count; from += perRound) {
    const round = names.slice(from, from + perRound);
    await pods.apply(
      ...round.map((name, index) =>
        askerManifest(name, namespace, nodes[index % nodes.length]?.name ?? '', server.ip(), server.httpPort),
      ),
    );
    for (;;) {
      const phases = await phasesOf(round, namespace);
      if (phases.every((phase) => phase === 'Succeeded' || phase === 'Failed')) break;
      if (signal.aborted) throw new Error(`askers are not done: ${phases.join(', ')}`);
      await Bun.sleep(300);
    }
  }
  return await phasesOf(names, namespace);
}

async function newPods(context: ScenarioContext, count: number): Promise<void> {
  const { pods, note } = context;
  const [first] = await world.nodes();
  const [server] = await pods.create([{ name: 'server', node: first?.name ?? '' }]);
  if (server === undefined) throw new Error('no server');
  const open = await askAtOnce(context, 'free', 2, server);
  expect(open, 'without a policy they are answered').toEqual(['Succeeded', 'Succeeded']);
  await pods.apply(policy('deny', { podSelector: { matchLabels: { role: 'asker' } }, policyTypes: ['Egress'] }));
  const phases = await askAtOnce(context, 'new', count, server);
  const answered = phases.filter((phase) => phase === 'Succeeded').length;
  note('new pods answered though denied', `${answered} of ${phases.length}`);
  expect(answered).toBe(0);
  expect(phases.length).toBe(count);
}

scenario('policy: 20 new pods ask from their first moment, none is answered', { limitMs: LIMIT_MS }, (context) =>
  newPods(context, 20),
);

scenario(
  'policy: 500 new pods ask from their first moment, none is answered',
  { limitMs: 1_200_000, long: true },
  (context) => newPods(context, 500),
);
