/** The cluster's nodes as last told: this node whole, the others as peers. Events only change the table. */
import { type AnnotationKeys, CANALS_ANNOTATIONS, type NodeRecord, parseNode, parsePeer } from '@canal/api-schema';
import type { Peer } from '@canal/model';
import type { KubeObject, Parse, Parsed, StoreEvent } from '@canal/store-port';

/** What is kept of one Node object. */
export interface NodeView {
  /** Present for this node alone. */
  readonly own?: NodeRecord;
  /** Absent when the node runs no flannel. */
  readonly peer?: Peer;
  readonly problems: readonly string[];
}

/** Projection of a Node object: of other nodes nothing is kept but the peer. */
export function nodeParser(ownName: string, keys: AnnotationKeys): Parse<NodeView> {
  const keep = new Set<string>([...Object.values<string>({ ...keys }), ...CANALS_ANNOTATIONS]);
  return (object: KubeObject): Parsed<NodeView> => {
    const node = parseNode(object, keep);
    if (!node.ok) return node;
    const { peer, problems } = parsePeer(node.value, keys);
    const own = node.value.name === ownName ? { own: node.value } : {};
    return { ok: true, value: { ...own, ...(peer && { peer }), problems } };
  };
}

export interface PeerFault {
  readonly node: string;
  readonly message: string;
}

export class NodeTable {
  readonly ownName: string;
  #inSync = false;
  #own: NodeRecord | undefined;
  readonly #peers = new Map<string, Peer>();
  readonly #faults = new Map<string, readonly string[]>();

  constructor(ownName: string) {
    this.ownName = ownName;
  }

  /** True when the event changed anything that a turn looks at. */
  apply(event: Extract<StoreEvent<NodeView>, { type: 'put' | 'delete' | 'in-sync' }>): boolean {
    switch (event.type) {
      case 'in-sync':
        this.#inSync = true;
        return true;
      case 'delete':
        return this.#delete(event.key);
      case 'put':
        return event.parsed.ok ? this.#put(event.key, event.parsed.value) : this.#refuse(event.key, event.parsed.error);
    }
  }

  /** Everything that existed at the start has been told. */
  get inSync(): boolean {
    return this.#inSync;
  }

  get own(): NodeRecord | undefined {
    return this.#own;
  }

  /** The other nodes. */
  peers(): readonly Peer[] {
    return [...this.#peers.values()];
  }

  /** What could not be read of nodes, by name. */
  faults(): readonly PeerFault[] {
    return [...this.#faults].flatMap(([node, messages]) => messages.map((message) => ({ node, message })));
  }

  #put(name: string, view: NodeView): boolean {
    if (name === this.ownName) this.#own = view.own;
    if (view.problems.length > 0) this.#faults.set(name, view.problems);
    else this.#faults.delete(name);
    if (name === this.ownName) return true;
    const before = this.#peers.get(name);
    if (view.peer === undefined) return this.#peers.delete(name);
    this.#peers.set(name, view.peer);
    // A kubelet updates its node's status every few minutes: most puts say nothing new.
    return before === undefined || !samePeer(before, view.peer);
  }

  /** An object that does not parse says nothing: what is known of that node stays until it says otherwise or goes. */
  #refuse(name: string, error: string): boolean {
    this.#faults.set(name, [error]);
    return true;
  }

  #delete(name: string): boolean {
    if (name === this.ownName) this.#own = undefined;
    this.#faults.delete(name);
    return this.#peers.delete(name) || name === this.ownName;
  }
}

function samePeer(a: Peer, b: Peer): boolean {
  return describe(a) === describe(b);
}

function describe(peer: Peer): string {
  return JSON.stringify(peer, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
}
