/**
 * Objects of the API through the parser, the engine and the kernel, and packets that ask what came of them. Pods on this
 * node, pods on another node, both nodes and one outside; each pod also behind a service as kube-proxy makes it.
 */
/* eslint-disable @nx/enforce-module-boundaries -- of tests alone */
import { parseNetworkPolicy, parsePolicyNamespace, parsePolicyPod } from '@canal/api-schema';
import type { PolicyKernel } from '@canal/kernel-port';
import { createPolicyEngine } from '@canal/policy-compile';
import {
  createPolicyWorld,
  createProber,
  NODE,
  OTHER_NODE,
  OUTSIDE,
  type PodMode,
  type PolicyWorld,
  type Prober,
  REMOTE_POD,
  type TestNetns,
} from '@canal/testing';
import { parseInterfaceName, parseMac, type Result, unwrap } from 'net-types';
import { createPolicyKernel } from '../policy-nft-kernel.ts';
import { type Place, PORTS, type Probe, readProbes, runProbes } from './checklist-probes.ts';
import { ip } from './rules.ts';
import { setUpServices } from './services.ts';

type PodName = 'subject' | 'web' | 'b-web' | 'b-db' | 'far' | 'distant' | 'host-web';

interface PodSpec {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly containers?: readonly object[];
  readonly initContainers?: readonly object[];
  readonly hostNetwork?: boolean;
  readonly phase?: string;
  readonly deletionTimestamp?: string;
  readonly uid?: string;
  readonly creationTimestamp?: string;
  /** Whose addresses it has; by default its own. */
  readonly at?: PodName | 'nowhere';
}

const container = (name: string, port: number, protocol = 'TCP'): object => ({
  name: `${name}-${port}`,
  image: 'i',
  ports: [{ name, containerPort: port, protocol }],
});

const PODS: Readonly<Record<PodName, PodSpec>> = {
  subject: { namespace: 'a', labels: { app: 'subject' }, containers: [container('http', 8080)] },
  web: { namespace: 'a', labels: { app: 'web' }, containers: [container('http', 8081)] },
  'b-web': { namespace: 'b', labels: { app: 'web' }, containers: [container('http', 8082)] },
  'b-db': { namespace: 'b', labels: { app: 'db' } },
  // On the other node.
  far: { namespace: 'b', labels: { app: 'far' }, containers: [container('http', 8083)] },
  distant: { namespace: 'a', labels: { app: 'distant' }, containers: [container('http', 8080, 'UDP')] },
  'host-web': { namespace: 'a', labels: { app: 'web' }, hostNetwork: true },
};

const LOCAL = ['subject', 'web', 'b-web', 'b-db'] as const;
const NAMESPACES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  a: { team: 'red', 'kubernetes.io/metadata.name': 'a' },
  b: { team: 'blue', 'kubernetes.io/metadata.name': 'b' },
};
const DISTANT = { ip4: '10.244.2.12', ip6: 'fd00:10:244:2::c' } as const;

/** The cluster as it is then (what is not told is as above), and what of it holds. */
export interface Step {
  readonly policies?: readonly object[];
  readonly pods?: Partial<Readonly<Record<PodName | `next-${string}`, Partial<PodSpec> | undefined>>>;
  readonly namespaces?: Readonly<Record<string, Readonly<Record<string, string>> | undefined>>;
  readonly open?: readonly string[];
  /** Without policies these are open. */
  readonly closed?: readonly string[];
  /** Closed with policies and without. */
  readonly shut?: readonly string[];
}

export interface ChecklistWorld extends AsyncDisposable {
  readonly world: PolicyWorld;
  readonly prober: Prober;
  place(name: string): Place;
  /**
   * One after the other, by changes; what differs from what is told, as lines. Each closed way is open without policies. `meanwhile`
   * is called under the rules of each step.
   */
  run(steps: readonly Step[], meanwhile?: () => Promise<void>): Promise<Outcome>;
}

interface Outcome {
  readonly differences: readonly string[];
  /** Packets asked about, those of the counter-proof not counted. */
  readonly probes: number;
}

export async function createChecklistWorld(mode: PodMode): Promise<ChecklistWorld> {
  await using stack = new AsyncDisposableStack();
  const world = stack.use(createPolicyWorld(LOCAL.length, mode));
  const prober = stack.use(createProber());
  addDistantPod(world);
  const places = placesOf(world);
  setUpServices(world, mode === 'routed' ? 'nftables' : 'iptables-nft', places, PORTS);
  for (const { netns, ip4, ip6 } of new Set(places.values())) {
    for (const address of [ip4, ip6]) await prober.listen(netns, address, { tcp: [...PORTS], udp: [...PORTS] });
  }
  const owned = stack.move();
  const place = (name: string): Place => {
    const found = places.get(name);
    if (found === undefined) throw new RangeError(`no place ${name}: one of ${[...places.keys()].join(', ')}`);
    return found;
  };
  return {
    world,
    prober,
    place,
    run: (steps, meanwhile) => runSteps({ world, prober, place, mode }, steps, meanwhile),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function addDistantPod({ node, far }: PolicyWorld): void {
  far.run(['ip', 'address', 'add', `${DISTANT.ip4}/32`, 'dev', 'lo']);
  far.run(['ip', 'address', 'add', `${DISTANT.ip6}/128`, 'dev', 'lo']);
  node.run(['ip', 'route', 'add', DISTANT.ip4, 'via', OTHER_NODE.ip4]);
  node.run(['ip', 'route', 'add', DISTANT.ip6, 'via', OTHER_NODE.ip6]);
}

function placesOf({ node, far, pods }: PolicyWorld): ReadonlyMap<string, Place> {
  const service = (number: number) => ({ ip4: `10.96.0.${number}`, ip6: `fd00:10:96::${number}` });
  const at = (netns: TestNetns, { ip4, ip6 }: { ip4: string; ip6: string }, more: Partial<Place> = {}): Place => ({
    netns,
    ip4,
    ip6,
    ...more,
  });
  const local = LOCAL.map((name, index): [string, Place] => {
    const pod = pods[index];
    if (pod === undefined) throw new Error(name);
    return [name, at(pod.netns, pod, { service: service(index + 1) })];
  });
  return new Map<string, Place>([
    ...local,
    ['far', at(far, REMOTE_POD, { service: service(5) })],
    ['distant', at(far, DISTANT, { service: service(6) })],
    ['node', at(node, NODE)],
    ['other-node', at(far, OTHER_NODE)],
    ['outside', at(far, OUTSIDE)],
  ]);
}

interface Run {
  readonly world: PolicyWorld;
  readonly prober: Prober;
  readonly place: (name: string) => Place;
  readonly mode: PodMode;
}

async function runSteps(run: Run, steps: readonly Step[], meanwhile?: () => Promise<void>): Promise<Outcome> {
  const { world, mode } = run;
  const kernel = createPolicyKernel({ netns: world.node.path });
  try {
    const cluster = new ToldCluster(run);
    const differences: string[] = [];
    let probes = 0;
    for (const [index, step] of steps.entries()) {
      cluster.tell(step);
      await cluster.write(kernel);
      await meanwhile?.();
      const read = (lines: readonly string[] = []): Probe[] => readProbes(lines, run.place);
      const [open, closed, shut] = [read(step.open), read(step.closed), read(step.shut)];
      probes += open.length + closed.length + shut.length;
      const wrong = [
        ...(await differing(run.prober, open, 'open', 1500)),
        ...(await differing(run.prober, [...closed, ...shut], 'closed', 60)),
      ];
      differences.push(...wrong.map((line) => `${mode}, step ${index + 1}: ${line}`));
      // Closed by policy, not because nothing is there.
      cluster.tell({ ...step, policies: [] });
      await cluster.write(kernel);
      const blocked = await differing(run.prober, closed, 'open', 1500);
      differences.push(...blocked.map((line) => `${mode}, step ${index + 1}, without policies: ${line}`));
      cluster.tell(step);
      await cluster.write(kernel);
    }
    // Changes have led where a reading of all leads.
    const { writes, differences: left } = await kernel.resync(cluster.view, cluster.guard);
    if (writes > 0) differences.push(`after all changes a resync writes: ${left.join('; ')}`);
    return { differences, probes };
  } finally {
    // The tables stay: without them pods on a bridge learn of each other, and are closed to each other for seconds after.
    kernel.close();
  }
}

async function differing(
  prober: Prober,
  probes: readonly Probe[],
  wanted: 'open' | 'closed',
  waitMs: number,
): Promise<string[]> {
  const results = await runProbes(prober, probes, waitMs);
  return results.flatMap((result, at) => (result === wanted ? [] : [`${probes[at]?.text ?? ''}: ${result}`]));
}

function isPodName(name: string): name is PodName {
  return name in PODS;
}

function valueOf<T>(result: Result<T, string>): T {
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

/** What the engine was told, so that it is told of differences alone. */
class ToldCluster {
  readonly guard = {
    nodeAddresses: [NODE.ip4, NODE.ip6, OTHER_NODE.ip4, OTHER_NODE.ip6].map(ip),
    tunnelPorts: [8472],
    allowSample: 0,
  };
  readonly #engine = createPolicyEngine();
  readonly #run: Run;
  readonly #told = new Map<string, { text: string; forget: () => void }>();
  #synced = false;

  constructor(run: Run) {
    this.#run = run;
    this.#engine.setNodeAddresses([NODE.ip4, NODE.ip6].map(ip), [OTHER_NODE.ip4, OTHER_NODE.ip6].map(ip));
    for (const [index, name] of LOCAL.entries()) {
      const pod = run.world.pods[index];
      if (pod === undefined) throw new Error(name);
      this.#engine.putEndpoint({
        key: `${name}/eth0`,
        pod: { namespace: PODS[name].namespace, name, uid: `uid-${name}` },
        hostInterface: unwrap(parseInterfaceName(pod.hostInterface)),
        mode: run.mode,
        addresses: [ip(pod.ip4), ip(pod.ip6)],
        mac: unwrap(parseMac(pod.mac)),
      });
    }
  }

  get view() {
    return this.#engine.view;
  }

  tell(step: Step): void {
    const engine = this.#engine;
    const wanted = new Map<string, { object: object; put: () => void; forget: () => void }>();
    for (const [name, labels] of Object.entries({ ...NAMESPACES, ...step.namespaces })) {
      if (labels === undefined) continue;
      const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
      const put = (): void => engine.putNamespace(valueOf(parsePolicyNamespace(object)));
      wanted.set(`namespace ${name}`, { object, put, forget: () => engine.deleteNamespace(name) });
    }
    const pods: Readonly<Record<string, Partial<PodSpec> | undefined>> = { ...PODS, ...step.pods };
    for (const [name, spec] of Object.entries(pods)) {
      if (spec === undefined) continue;
      const whole = { ...(isPodName(name) ? PODS[name] : { namespace: 'a', labels: {} }), ...spec };
      const object = this.#podObject(name, whole);
      const put = (): void => engine.putPod(valueOf(parsePolicyPod(object)));
      wanted.set(`pod ${whole.namespace}/${name}`, {
        object,
        put,
        forget: () => engine.deletePod(whole.namespace, name),
      });
    }
    for (const object of step.policies ?? []) {
      const policy = valueOf(parseNetworkPolicy(object));
      const { namespace, name } = policy;
      const put = (): void => engine.putPolicy(policy);
      wanted.set(`policy ${namespace}/${name}`, { object, put, forget: () => engine.deletePolicy(namespace, name) });
    }
    for (const [key, { forget }] of this.#told) {
      if (wanted.has(key)) continue;
      forget();
      this.#told.delete(key);
    }
    for (const [key, { object, put, forget }] of wanted) {
      const text = JSON.stringify(object);
      if (this.#told.get(key)?.text === text) continue;
      put();
      this.#told.set(key, { text, forget });
    }
  }

  #podObject(name: string, spec: PodSpec): object {
    const { namespace, labels, containers, initContainers, hostNetwork, phase, deletionTimestamp, at = name } = spec;
    const place = at === 'nowhere' ? undefined : this.#run.place(hostNetwork === true ? 'other-node' : at);
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        namespace,
        name,
        uid: spec.uid ?? `uid-${name}`,
        labels,
        creationTimestamp: spec.creationTimestamp ?? '2026-01-01T00:00:00Z',
        ...(deletionTimestamp !== undefined && { deletionTimestamp }),
      },
      spec: {
        nodeName: (LOCAL as readonly string[]).includes(name) ? 'here' : 'there',
        containers: containers ?? [{ name: 'c', image: 'i' }],
        ...(initContainers && { initContainers }),
        ...(hostNetwork !== undefined && { hostNetwork }),
      },
      status: {
        phase: phase ?? 'Running',
        ...(place && { podIP: place.ip4, podIPs: [{ ip: place.ip4 }, { ip: place.ip6 }] }),
      },
    };
  }

  /** The first time by reading all, then by changes. */
  async write(kernel: PolicyKernel): Promise<void> {
    const delta = this.#engine.flush();
    if (!this.#synced) await kernel.resync(this.view, this.guard);
    else if (delta !== undefined) await kernel.apply(delta, this.view);
    this.#synced = true;
    // Echo requests of one process are one flow: what was open before is asked anew.
    this.#run.world.node.run(['conntrack', '-F']);
  }
}
