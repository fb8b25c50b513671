/** A kernel that keeps what `resync` and `apply` give it, refuses what they must not, and fails when told to. */
import {
  type FlowJudgement,
  KernelError,
  type PolicyGuard,
  type PolicyKernel,
  type PolicyKernelEvent,
  type PolicyLimit,
  type PolicyResync,
  type VerdictRecord,
} from '@canal/kernel-port';
import type { CounterReading, RuleDelta, RuleEndpoint, RulePacket, RuleView, SetMember } from '@canal/rules-ast';
import type { Ip } from 'net-types';

type Operation = 'resync' | 'apply' | 'setGuard' | 'judgeFlows' | 'counters';

export class FakePolicyKernel implements PolicyKernel {
  readonly endpoints = new Map<string, RuleEndpoint>();
  readonly chains = new Map<string, string>();
  readonly sets = new Map<string, Set<string>>();
  guard: PolicyGuard | undefined;
  lacks: readonly PolicyLimit[] = [];
  /** Objects written so far. */
  writes = 0;
  resyncs = 0;
  applies = 0;
  judgements = 0;
  /** How many of the next calls fail. */
  readonly failures: Record<Operation, number> = { resync: 0, apply: 0, setGuard: 0, judgeFlows: 0, counters: 0 };
  /** What a call waits for before it does anything. */
  gate: Promise<unknown> = Promise.resolve();
  /** Packets of flows that exist; `judgeFlows` moves those with an address of its own between the two. */
  readonly flows = new Set<RulePacket>();
  readonly cut = new Set<RulePacket>();
  /** By name. */
  readonly counted = new Map<string, Omit<CounterReading, 'id'>>();
  readonly #events = new Feed<PolicyKernelEvent>();
  readonly #verdicts = new Feed<VerdictRecord>();

  async resync(view: RuleView, guard: PolicyGuard): Promise<PolicyResync> {
    await this.#enter('resync');
    this.resyncs++;
    const differences: string[] = [];
    const had = new Set([...this.endpoints.values()].flatMap(({ addresses }) => addresses));
    for (const { addresses } of view.endpoints()) for (const ip of addresses) had.delete(ip);
    replace(this.endpoints, new Map([...view.endpoints()].map((one) => [one.key, one])), differences, 'endpoint');
    replace(this.chains, new Map([...view.chains()].map((one) => [one.id, text(one)])), differences, 'chain');
    const sets = [...view.sets()].map(({ id }) => [id, new Set([...view.members(id)].map(text))] as const);
    replace(this.sets, new Map(sets), differences, 'set');
    if (text(this.guard) !== text(guard)) differences.push('guard');
    this.guard = guard;
    this.writes += differences.length;
    const gone = had.size > 0 && { gone: [...had] };
    return { writes: differences.length, differences: differences.slice(0, 20), ...gone };
  }

  async apply(delta: RuleDelta, view: RuleView): Promise<void> {
    await this.#enter('apply');
    this.applies++;
    for (const { key } of delta.removedEndpoints) must(this.endpoints.delete(key), `endpoint ${key}`);
    for (const { id } of delta.newSets) {
      must(!this.sets.has(id), `no set ${id}`);
      this.sets.set(id, new Set([...view.members(id)].map(text)));
    }
    for (const [id, { added, removed }] of delta.members) this.#change(id, added, removed);
    for (const chain of delta.newChains) this.chains.set(chain.id, text(chain));
    for (const endpoint of delta.endpoints) this.endpoints.set(endpoint.key, endpoint);
    for (const id of delta.removedChains) must(this.chains.delete(id), `chain ${id}`);
    for (const { id } of delta.removedSets) must(this.sets.delete(id), `set ${id}`);
    this.writes++;
  }

  async setGuard(guard: PolicyGuard): Promise<void> {
    await this.#enter('setGuard');
    if (text(this.guard) !== text(guard)) this.writes++;
    this.guard = guard;
  }

  limits(): readonly PolicyLimit[] {
    return this.lacks;
  }

  isClosed(): Promise<boolean> {
    return Promise.resolve(this.guard !== undefined);
  }

  monitor(signal: AbortSignal): AsyncIterable<PolicyKernelEvent> {
    return this.#events.follow(signal, [{ type: 'resync' }]);
  }

  async judgeFlows(addresses: ReadonlySet<Ip>, allowed: (packet: RulePacket) => boolean): Promise<FlowJudgement> {
    await this.#enter('judgeFlows');
    this.judgements++;
    const concerned = [...this.flows].filter(({ source, destination }) =>
      [source, destination].some((ip) => addresses.has(ip)),
    );
    let [cut, mended] = [0, 0];
    for (const packet of concerned) {
      if (allowed(packet)) mended += Number(this.cut.delete(packet));
      else if (!this.cut.has(packet)) {
        this.cut.add(packet);
        cut++;
      }
    }
    return { seen: concerned.length, cut, mended };
  }

  verdicts(signal: AbortSignal): AsyncIterable<VerdictRecord> {
    return this.#verdicts.follow(signal, []);
  }

  async counters(): Promise<readonly CounterReading[]> {
    await this.#enter('counters');
    return Array.from(this.counted, ([id, reading]) => ({ id, ...reading }));
  }

  remove(): Promise<boolean> {
    return Promise.resolve(false);
  }

  close(): void {
    // Nothing is open.
  }

  /** Somebody else takes everything away; the monitor tells. */
  flush(): void {
    for (const objects of [this.endpoints, this.chains, this.sets]) objects.clear();
    this.guard = undefined;
    this.#events.tell({ type: 'changed', what: 'table deleted' });
  }

  tellVerdict(record: VerdictRecord): void {
    this.#verdicts.tell(record);
  }

  async #enter(operation: Operation): Promise<void> {
    await this.gate;
    if (this.failures[operation] <= 0) return;
    this.failures[operation]--;
    throw new KernelError('io', `planned failure of ${operation}`);
  }

  #change(id: string, added: readonly SetMember[], removed: readonly SetMember[]): void {
    const members = this.sets.get(id);
    if (members === undefined) throw new KernelError('io', `no set ${id}`);
    for (const member of removed) must(members.delete(text(member)), `member ${text(member)} of ${id}`);
    for (const member of added) {
      must(!members.has(text(member)), `no member ${text(member)} of ${id}`);
      members.add(text(member));
    }
  }
}

/** Events to whoever follows at the moment. */
class Feed<T> {
  readonly #queues = new Set<{ readonly events: T[]; wake: () => void }>();

  tell(event: T): void {
    for (const queue of this.#queues) {
      queue.events.push(event);
      queue.wake();
    }
  }

  async *follow(signal: AbortSignal, first: readonly T[]): AsyncGenerator<T, void> {
    const queue = { events: [...first], wake: (): void => undefined };
    this.#queues.add(queue);
    try {
      while (!signal.aborted) {
        const event = queue.events.shift();
        if (event !== undefined) yield event;
        else {
          await new Promise<void>((resolve) => {
            queue.wake = resolve;
            signal.addEventListener('abort', () => resolve(), { once: true });
          });
        }
      }
    } finally {
      this.#queues.delete(queue);
    }
  }
}

function replace<V>(now: Map<string, V>, wanted: ReadonlyMap<string, V>, differences: string[], kind: string): void {
  for (const key of new Set([...now.keys(), ...wanted.keys()])) {
    if (text(now.get(key)) !== text(wanted.get(key))) differences.push(`${kind} ${key}`);
  }
  now.clear();
  for (const [key, value] of wanted) now.set(key, value);
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new KernelError('io', `the change expects ${what}`);
}

function text(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return `${part}n`;
    return part instanceof Set ? [...part].sort() : part;
  });
}
