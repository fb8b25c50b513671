/** The nodes' addresses: whom the tunnel's port is open to, and what the engine takes for a node. */
import { type AnnotationKeys, formatFieldError, parseNetConf, parseNode } from '@canal/api-schema';
import type { PolicyGuard } from '@canal/kernel-port';
import type { PolicyEngine } from '@canal/policy-compile';
import type { KubeObject, Parsed } from '@canal/store-port';
import { NODES } from '@canal/store-port';
import { type Ip, parseIp } from 'net-types';
import type { StreamConsumer } from './cluster-watch.ts';

export interface NodeAddressesOptions {
  readonly nodeName: string;
  readonly keys: AnnotationKeys;
  readonly tunnelPorts: readonly number[];
  readonly allowSample: number;
}

/** What one Node object tells. */
interface NodeParts {
  /** From these it sends to the tunnels' ports. */
  readonly addresses: readonly Ip[];
  /**
   * The first of each block of its pods: its tunnel device has it (flannel's rule), and pods of other nodes see the node
   * by it. Not for the guard: it stands inside the tunnel's packets, never outside of them.
   */
  readonly tunnelAddresses: readonly Ip[];
}

export class NodeAddresses implements StreamConsumer<NodeParts> {
  readonly type = NODES;
  readonly parse: (object: KubeObject) => Parsed<NodeParts>;
  readonly #options: NodeAddressesOptions;
  readonly #nodes = new Map<string, NodeParts>();
  #localAddresses: readonly Ip[] = [];
  #netConfPorts: readonly number[] = [];
  #changed = true;

  constructor(options: NodeAddressesOptions) {
    this.#options = options;
    const { keys } = options;
    // What peers send from and to: by flannel's rules it need not be an address of the Node's status.
    const published = [keys.publicIp, keys.publicIpv6, keys.publicIpOverwrite, keys.publicIpv6Overwrite];
    const keep = new Set(published);
    this.parse = (object) => {
      const node = parseNode(object, keep);
      if (!node.ok) return node;
      const { internalIps, annotations, podCidrs } = node.value;
      const texts = [...internalIps, ...published.map((key) => annotations[key])];
      return { ok: true, value: { addresses: addressesOf(texts), tunnelAddresses: podCidrs.map(({ ip }) => ip) } };
    };
  }

  put(parts: NodeParts, key: string): void {
    // Kubelets write their nodes' status every few minutes, and say nothing new.
    const before = this.#nodes.get(key);
    if (before !== undefined && textOf(before) === textOf(parts)) return;
    this.#nodes.set(key, parts);
    this.#changed = true;
  }

  /** What is known of that node stays until it says otherwise or goes. */
  refuse(): void {
    // The problem is told by the watch.
  }

  delete(key: string): void {
    if (this.#nodes.delete(key)) this.#changed = true;
  }

  /** All addresses of this host, which count as this node's own beside those of its object. True when they changed. */
  setLocalAddresses(addresses: readonly Ip[]): boolean {
    if (addresses.join() === this.#localAddresses.join()) return false;
    this.#localAddresses = addresses;
    this.#changed = true;
    return true;
  }

  /** Text of net-conf.json; undefined: there is none. Returns what is wrong with it; then the former port stays. */
  setNetConf(text: string | undefined): string | undefined {
    const parsed = text === undefined ? undefined : parseNetConf(text);
    if (parsed?.ok === false) return parsed.error.map(formatFieldError).join('; ');
    const backend = parsed?.value.netConf.backend;
    const ports = backend?.type === 'vxlan' ? [backend.port] : [];
    if (ports.join() === this.#netConfPorts.join()) return undefined;
    this.#netConfPorts = ports;
    this.#changed = true;
    return undefined;
  }

  /** Tells the engine what changed since the last call; true when the guard is another one. */
  settle(engine: Pick<PolicyEngine, 'setNodeAddresses'>): boolean {
    if (!this.#changed) return false;
    this.#changed = false;
    const own = this.own();
    const isOwn = new Set(own);
    const others = [...this.#nodes].flatMap(([name, { addresses, tunnelAddresses }]) =>
      name === this.#options.nodeName ? [] : [...addresses, ...tunnelAddresses],
    );
    engine.setNodeAddresses(
      own,
      others.filter((ip) => !isOwn.has(ip)),
    );
    return true;
  }

  own(): readonly Ip[] {
    return [...new Set([...(this.#nodes.get(this.#options.nodeName)?.addresses ?? []), ...this.#localAddresses])];
  }

  guard(): PolicyGuard {
    const { tunnelPorts, allowSample } = this.#options;
    return {
      nodeAddresses: [...new Set([...this.#nodes.values()].flatMap(({ addresses }) => addresses))],
      tunnelPorts: [...new Set([...tunnelPorts, ...this.#netConfPorts])],
      allowSample,
    };
  }
}

function textOf({ addresses, tunnelAddresses }: NodeParts): string {
  return `${addresses.join()} ${tunnelAddresses.join()}`;
}

function addressesOf(texts: readonly (string | undefined)[]): readonly Ip[] {
  const addresses = new Set<Ip>();
  for (const text of texts) {
    const ip = text === undefined ? undefined : parseIp(text);
    if (ip?.ok === true) addresses.add(ip.value);
  }
  return [...addresses];
}
