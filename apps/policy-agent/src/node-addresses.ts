/** The nodes' addresses: whom the tunnel's port is open to, and what the engine takes for a node. */
import {
  type AnnotationKeys,
  formatFieldError,
  type NodeAddressRecord,
  nodeAddressReader,
  parseNetConf,
} from '@canal/api-schema';
import type { PolicyGuard } from '@canal/kernel-port';
import type { PolicyEngine } from '@canal/policy-compile';
import type { KubeObject, Parsed } from '@canal/store-port';
import { NODES } from '@canal/store-port';
import type { Ip } from 'net-types';
import type { StreamConsumer } from './cluster-watch.ts';

export interface NodeAddressesOptions {
  readonly nodeName: string;
  readonly keys: AnnotationKeys;
  readonly tunnelPorts: readonly number[];
  readonly allowSample: number;
}

export class NodeAddresses implements StreamConsumer<NodeAddressRecord> {
  readonly type = NODES;
  readonly parse: (object: KubeObject) => Parsed<NodeAddressRecord>;
  readonly #options: NodeAddressesOptions;
  readonly #nodes = new Map<string, NodeAddressRecord>();
  #localAddresses: readonly Ip[] = [];
  #netConfPorts: readonly number[] = [];
  #changed = true;

  constructor(options: NodeAddressesOptions) {
    this.#options = options;
    this.parse = nodeAddressReader(options.keys);
  }

  put(parts: NodeAddressRecord, key: string): void {
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

function textOf({ addresses, tunnelAddresses }: NodeAddressRecord): string {
  return `${addresses.join()} ${tunnelAddresses.join()}`;
}
