/** PolicyKernel over nf_tables, NFLOG and conntrack. */
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
import { type KnownConnection, NETLINK_NETFILTER, type NetnsRef, openKnownConnection } from '@canal/linux-ffi';
import type { CounterReading, RuleDelta, RuleEndpoint, RulePacket, RuleView } from '@canal/rules-ast';
import {
  changeNftables,
  delNftCounter,
  delNftTable,
  isBusy,
  isExists,
  isNotFound,
  listNftCounters,
  type NetlinkConnection,
  type NetlinkRequest,
  NFPROTO,
} from 'netlink-ts';
import { type Ip, ipFromBytes } from 'net-types';
import { ChangeList } from './change-list.ts';
import { planDelta } from './delta-changes.ts';
import { desiredTables } from './desired-tables.ts';
import { readGatewayMac } from './gateway-mac.ts';
import { isClosed } from './is-closed.ts';
import { judgeFlows } from './flows.ts';
import { probeFamilies } from './kernel-families.ts';
import { asKernelError, policyKernelError } from './policy-kernel-error.ts';
import { policyLimits } from './policy-limits.ts';
import { monitorPolicy } from './policy-monitor.ts';
import { readTable } from './read-table.ts';
import { isOwnCounter, readingOf } from './rule-counters.ts';
import { FAMILIES } from './rule-set.ts';
import { planStatic } from './static-changes.ts';
import { POLICY_FAMILIES, type StaticInputs, TABLE } from './static-tables.ts';
import { type ActualTable, planTable, replaceTable, unusedCounters } from './table-plan.ts';
import { readVerdicts } from './verdicts.ts';

export interface PolicyNftKernelOptions {
  /** Network namespace by path or open descriptor; the process's own when absent. */
  readonly netns?: NetnsRef;
}

/** The policy rules of one namespace. Throws KernelError when no socket can be had there. */
export function createPolicyKernel(options: PolicyNftKernelOptions = {}): PolicyKernel {
  return new PolicyNftKernel(options.netns);
}

/** How often a difference is written, if others write at the same time, before that is an error. */
const ATTEMPTS = 5;
/** From here on the table is made anew as a whole: something in it is in the way that reading does not show. */
const REPLACE_FROM = 4;

/** The kernel grows a set's table within a few milliseconds. */
const BUSY_ATTEMPTS = 20;

const MAX_DIFFERENCES = 20;

/** A transaction is one datagram, and the kernel refuses what is longer than the buffer. Memory is taken when used. */
const SEND_BUFFER_BYTES = 64 * 1024 * 1024;

/** What the kernel has of ours, as far as changes need to know it. */
interface Written {
  readonly endpoints: Map<string, RuleEndpoint>;
  readonly inputs: StaticInputs;
}

class PolicyNftKernel implements PolicyKernel {
  readonly #netns: NetnsRef | undefined;
  readonly #connection: NetlinkConnection;
  readonly #isOwnPort: KnownConnection['isOwnPort'];
  #closed = false;
  /** Undefined before the first resync and after a failure. */
  #written: Written | undefined;
  #limits: readonly PolicyLimit[] = [];

  constructor(netns: NetnsRef | undefined) {
    this.#netns = netns;
    const options = { protocol: NETLINK_NETFILTER, netns, sendBufferBytes: SEND_BUFFER_BYTES };
    const { connection, isOwnPort } = asKernelError('open a netfilter socket', () => openKnownConnection(options));
    this.#connection = connection;
    this.#isOwnPort = isOwnPort;
  }

  resync(view: RuleView, guard: PolicyGuard): Promise<PolicyResync> {
    return this.#ask('resync', () => this.#resync(view, guard));
  }

  apply(delta: RuleDelta, view: RuleView): Promise<void> {
    return this.#ask('apply', () => {
      this.#change(({ endpoints, inputs: before }, changes) => {
        planDelta(delta, view, endpoints, before.families, changes);
        // The first pod of a node comes with its bridge.
        const hasBridge = delta.endpoints.some(({ mode }) => mode === 'bridge');
        const gateway = hasBridge ? readGatewayMac(this.#netns) : before.gateway;
        const inputs = { ...before, gateway };
        if (gateway !== before.gateway) planStatic(before, inputs, changes);
        return () => {
          for (const { key } of delta.removedEndpoints) endpoints.delete(key);
          for (const endpoint of delta.endpoints) endpoints.set(endpoint.key, endpoint);
          return { endpoints, inputs };
        };
      });
    });
  }

  setGuard(guard: PolicyGuard): Promise<void> {
    return this.#ask('set guard', () => {
      this.#change(({ endpoints, inputs: before }, changes) => {
        const inputs = { ...before, guard, gateway: readGatewayMac(this.#netns) };
        planStatic(before, inputs, changes);
        return () => ({ endpoints, inputs });
      });
    });
  }

  isClosed(): Promise<boolean> {
    return this.#ask('read', () => {
      const families = probeFamilies(this.#connection);
      return isClosed(this.#connection, { gateway: readGatewayMac(this.#netns), families });
    });
  }

  limits(): readonly PolicyLimit[] {
    return this.#limits;
  }

  async *monitor(signal: AbortSignal): AsyncGenerator<PolicyKernelEvent> {
    this.#checkOpen();
    try {
      yield* monitorPolicy({ netns: this.#netns, isOwnPort: this.#isOwnPort }, signal);
    } catch (error) {
      throw policyKernelError('watch', error);
    }
  }

  async judgeFlows(
    addresses: ReadonlySet<Ip>,
    allowed: (packet: RulePacket) => boolean,
    tightened = true,
  ): Promise<FlowJudgement> {
    this.#checkOpen();
    try {
      return await judgeFlows({ netns: this.#netns, tightened }, addresses, allowed);
    } catch (error) {
      throw policyKernelError('judge flows', error);
    }
  }

  async *verdicts(signal: AbortSignal): AsyncGenerator<VerdictRecord> {
    this.#checkOpen();
    try {
      yield* readVerdicts({ netns: this.#netns }, signal);
    } catch (error) {
      throw policyKernelError('read verdicts', error);
    }
  }

  counters(): Promise<readonly CounterReading[]> {
    return this.#ask('read counters', () => {
      const counters = listNftCounters(this.#connection, { family: NFPROTO.INET, table: TABLE });
      return counters.filter(({ name }) => isOwnCounter(name)).map(readingOf);
    });
  }

  remove(): Promise<boolean> {
    return this.#ask('remove', () => {
      this.#written = undefined;
      const families = POLICY_FAMILIES.filter((family) => readTable(this.#connection, family) !== undefined);
      if (families.length === 0) return false;
      changeNftables(
        this.#connection,
        families.map((family) => delNftTable({ family, name: TABLE })),
      );
      return true;
    });
  }

  close(): void {
    this.#closed = true;
    this.#connection[Symbol.dispose]();
  }

  #resync(view: RuleView, guard: PolicyGuard): PolicyResync {
    this.#written = undefined;
    const gateway = readGatewayMac(this.#netns);
    const inputs: StaticInputs = { guard, gateway, families: probeFamilies(this.#connection) };
    const desired = desiredTables(view, inputs);
    const differences: string[] = [];
    const gone = new Set<Ip>();
    let writes = 0;
    let unused: ReadonlySet<string> = new Set();
    for (let attempt = 1; ; attempt++) {
      const changes = new ChangeList();
      const note = (line: string): void => {
        if (attempt === 1 && differences.length < MAX_DIFFERENCES) differences.push(line);
      };
      for (const table of desired) {
        const actual = readTable(this.#connection, table.family);
        if (attempt === 1 && table.family === NFPROTO.INET && actual !== undefined) {
          for (const ip of podAddresses(actual)) gone.add(ip);
        }
        if (table.family === NFPROTO.INET && actual !== undefined) unused = unusedCounters(table, actual);
        if (attempt >= REPLACE_FROM && actual !== undefined) replaceTable(table, actual, changes);
        else planTable(table, actual, changes, note);
      }
      try {
        this.#write(changes);
        writes += changes.writes;
        break;
      } catch (error) {
        // Somebody made or deleted something between our reading and our writing.
        if (!(isNotFound(error) || isExists(error) || isBusy(error)) || attempt === ATTEMPTS) throw error;
      }
    }
    if (unused.size > 0) this.#forgetCounters(unused.difference(view.keptCounters(unused)));
    const endpoints = new Map([...view.endpoints()].map((endpoint) => [endpoint.key, endpoint]));
    this.#note({ endpoints, inputs });
    for (const { addresses } of endpoints.values()) for (const ip of addresses) gone.delete(ip);
    return { writes, differences, ...(gone.size > 0 && { gone: [...gone] }) };
  }

  /** Their rules are gone for good. That is no repair, so it does not count as a write. */
  #forgetCounters(names: ReadonlySet<string>): void {
    if (names.size === 0) return;
    const requests = [...names].map((name) => delNftCounter({ family: NFPROTO.INET, table: TABLE, name }));
    try {
      this.#commit(requests);
    } catch (error) {
      // Somebody else was faster, or counts in one: the next comparison sees.
      if (!(isNotFound(error) || isBusy(error))) throw error;
    }
  }

  /** `plan` gives what is written once the kernel has taken it. */
  #change(plan: (written: Written, changes: ChangeList) => () => Written): void {
    const written = this.#written;
    if (written === undefined) {
      throw new KernelError('io', 'what the kernel has is not known: resync comes before changes and after failures');
    }
    this.#written = undefined;
    const changes = new ChangeList();
    const done = plan(written, changes);
    this.#write(changes);
    this.#note(done());
  }

  #note(written: Written): void {
    this.#written = written;
    this.#limits = policyLimits(written.inputs, written.endpoints.values());
  }

  #write(changes: ChangeList): void {
    for (const requests of changes.transactions()) this.#commit(requests);
  }

  #commit(requests: readonly NetlinkRequest[]): void {
    for (let attempt = 1; ; attempt++) {
      try {
        changeNftables(this.#connection, requests);
        return;
      } catch (error) {
        // Also what the kernel says while it makes the table of a set larger: nothing has changed then.
        if (!isBusy(error) || attempt === BUSY_ATTEMPTS) throw error;
      }
    }
  }

  /** The calls are synchronous: the kernel answers inside the system call. */
  #ask<T>(operation: string, question: () => T): Promise<T> {
    return Promise.try(() => {
      this.#checkOpen();
      return asKernelError(operation, question);
    });
  }

  #checkOpen(): void {
    if (this.#closed) throw new KernelError('closed', 'the kernel was closed');
  }
}

/** What the table has as addresses of this node's pods. */
function podAddresses(table: ActualTable): readonly Ip[] {
  const names = FAMILIES.map((family) => `local${family}`).filter((name) => table.sets.has(name));
  const keys = names.flatMap((name) => table.elements(name).map(({ key }) => key));
  return keys.map((key) => key && ipFromBytes(key)).filter((ip) => ip !== undefined);
}
