/** Pods of the agnhost image on nodes of one's choice, in a namespace of the scenario's own. */
import type { CommandOptions, CommandResult, IpFamily, World } from './world.ts';

export const AGNHOST_IMAGE = 'registry.k8s.io/e2e-test-images/agnhost:2.53';

export interface PodSpec {
  readonly name: string;
  /** Node to run on. Default: where the scheduler puts it. */
  readonly node?: string;
  readonly hostNetwork?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  /** Arguments of agnhost. Default: `netexec` on the two ports below. */
  readonly args?: readonly string[];
  /** Ports of netexec; hostNetwork pods on one node need different ones. Defaults 8080 and 8081. */
  readonly httpPort?: number;
  readonly udpPort?: number;
  /**
   * Addresses that netexec's UDP server binds to. Default: any, and then the kernel chooses what it answers from:
   * towards pods on a bridge that is the bridge's address, whichever was asked.
   */
  readonly udpListen?: readonly string[];
}

export interface Pod {
  readonly name: string;
  readonly namespace: string;
  readonly node: string;
  readonly hostNetwork: boolean;
  /** In the order of the Pod's status. */
  readonly ips: readonly string[];
  readonly httpPort: number;
  readonly udpPort: number;
  /** The address of a family; throws when it has none. */
  ip(family?: IpFamily): string;
  /** kubectl exec, e.g. `['/agnhost', 'connect', '10.0.0.1:80', '--timeout=2s']`. */
  exec(command: readonly string[], options?: CommandOptions): Promise<CommandResult>;
}

export interface Pods {
  /** The scenario's namespace, made on first use. */
  namespace(): Promise<string>;
  /** Creates them in one request and waits until all are Ready. */
  create(specs: readonly PodSpec[], options?: { readonly timeoutMs?: number }): Promise<readonly Pod[]>;
  /** Applies any object, as JSON, in the scenario's namespace. */
  apply(...objects: readonly object[]): Promise<void>;
  /** Deletes them and waits until they are gone from the API (grace period 0 s: they hold nothing). */
  delete(pods: readonly Pod[], options?: { readonly timeoutMs?: number }): Promise<void>;
  /** Deletes the namespace; with `--keep` it stays. */
  close(): Promise<void>;
}

const HTTP_PORT = 8080;
const UDP_PORT = 8081;
const READY_TIMEOUT_MS = 60_000;
/** Set by --keep: what a failed run made stays for a look. */
const KEEP_VARIABLE = 'CANAL_E2E_KEEP';

/** Pods of one scenario. Nothing is asked of the API server before the first is created. */
export function openPods(world: World, scenario: string): Pods {
  let made: Promise<string> | undefined;
  const namespace = (): Promise<string> => (made ??= createNamespace(world, scenario));

  return {
    namespace,
    async create(specs, options = {}) {
      const name = await namespace();
      await world.kubectl(['create', '-f', '-'], { stdin: list(specs.map((spec) => podManifest(name, spec))) });
      await waitReady(world, name, specs, options.timeoutMs ?? READY_TIMEOUT_MS);
      const { stdout } = await world.kubectl(['get', 'pods', '-n', name, '-o', 'json']);
      return describePods(world, JSON.parse(stdout) as PodList, specs);
    },
    async apply(...objects) {
      await world.kubectl(['apply', '-n', await namespace(), '-f', '-'], { stdin: list(objects) });
    },
    async delete(pods, options = {}) {
      if (pods.length === 0) return;
      const timeoutMs = options.timeoutMs ?? READY_TIMEOUT_MS;
      const names = pods.map((pod) => pod.name);
      await world.kubectl(
        ['delete', 'pods', '-n', await namespace(), '--wait', `--timeout=${timeoutMs}ms`, '--grace-period=1', ...names],
        { timeoutMs: timeoutMs + 5_000 },
      );
    },
    async close() {
      if (made === undefined || process.env[KEEP_VARIABLE] === '1') return;
      const name = await made;
      // Pods first and with their end awaited: the namespace's own deletion waits for them in long steps.
      await world.kubectl(['delete', 'pods', '-n', name, '--all', '--wait', '--grace-period=1', '--timeout=60s'], {
        timeoutMs: 65_000,
      });
      await world.kubectl(['delete', 'namespace', name, '--wait=false']);
    },
  };
}

/** A namespace with a service account, so that pods need not wait for the controller that makes `default`. */
async function createNamespace(world: World, scenario: string): Promise<string> {
  const name = `e2e-${slug(scenario).slice(0, 40)}-${Math.random().toString(36).slice(2, 7)}`;
  await world.kubectl(['create', '-f', '-'], {
    stdin: list([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { 'canal-e2e': 'true' } } },
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'pod', namespace: name } },
    ]),
  });
  return name;
}

/** A name for files and objects: lower case, digits and single dashes. */
export function slug(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
}

function list(items: readonly object[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}

export function podManifest(namespace: string, spec: PodSpec): object {
  const httpPort = spec.httpPort ?? HTTP_PORT;
  const udpPort = spec.udpPort ?? UDP_PORT;
  const serves = spec.args === undefined;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: spec.name, namespace, labels: { app: spec.name, ...spec.labels } },
    spec: {
      // Bound by name, not by the scheduler, so that a cordoned or full node takes it too.
      ...(spec.node === undefined ? {} : { nodeName: spec.node }),
      hostNetwork: spec.hostNetwork ?? false,
      serviceAccountName: 'pod',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 1,
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          name: 'agnhost',
          image: AGNHOST_IMAGE,
          imagePullPolicy: 'IfNotPresent',
          args: spec.args ?? netexec(httpPort, udpPort, spec.udpListen),
          ...(serves ? { readinessProbe: { httpGet: { path: '/healthz', port: httpPort }, periodSeconds: 1 } } : {}),
        },
      ],
    },
  };
}

function netexec(httpPort: number, udpPort: number, udpListen: readonly string[] = []): readonly string[] {
  const listen = udpListen.length === 0 ? [] : [`--udp-listen-addresses=${udpListen.join(',')}`];
  return ['netexec', `--http-port=${httpPort}`, `--udp-port=${udpPort}`, ...listen];
}

async function waitReady(world: World, namespace: string, specs: readonly PodSpec[], timeoutMs: number): Promise<void> {
  const pods = specs.map((spec) => `pod/${spec.name}`);
  const waited = await world.kubectl(
    ['wait', '-n', namespace, '--for=condition=Ready', `--timeout=${timeoutMs}ms`, ...pods],
    { timeoutMs: timeoutMs + 5_000, allowFailure: true },
  );
  if (waited.status === 0) return;
  const { stdout } = await world.kubectl(['get', 'events', '-n', namespace, '--field-selector', 'type=Warning'], {
    allowFailure: true,
  });
  throw new Error(`pods not Ready within ${timeoutMs / 1000} s: ${waited.stderr.trim()}\n${stdout}`);
}

interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly namespace: string };
    readonly spec: { readonly nodeName: string; readonly hostNetwork?: boolean };
    readonly status: { readonly podIPs?: readonly { readonly ip: string }[] };
  }[];
}

function describePods(world: World, { items }: PodList, specs: readonly PodSpec[]): readonly Pod[] {
  return specs.map((spec) => {
    const object = items.find(({ metadata }) => metadata.name === spec.name);
    if (object === undefined) throw new Error(`pod ${spec.name} is gone right after it was Ready`);
    const { metadata, status } = object;
    const ips = (status.podIPs ?? []).map(({ ip }) => ip);
    return {
      name: metadata.name,
      namespace: metadata.namespace,
      node: object.spec.nodeName,
      hostNetwork: object.spec.hostNetwork ?? false,
      ips,
      httpPort: spec.httpPort ?? HTTP_PORT,
      udpPort: spec.udpPort ?? UDP_PORT,
      ip: (family) => addressOf(metadata.name, ips, family),
      exec: (command, options) =>
        world.kubectl(['exec', '-n', metadata.namespace, metadata.name, '--', ...command], options),
    };
  });
}

/** The address of a family among those of a pod or node; the first without a family. */
export function addressOf(whose: string, ips: readonly string[], family?: IpFamily): string {
  const ip = family === undefined ? ips[0] : ips.find((one) => familyOf(one) === family);
  if (ip === undefined) throw new Error(`${whose} has no ${family ?? ''} address: ${ips.join(', ') || 'none at all'}`);
  return ip;
}

export function familyOf(ip: string): IpFamily {
  return ip.includes(':') ? 'ipv6' : 'ipv4';
}
