/** What the policy agent asks of the kernel: rules of ours as they shall be, flows cut, verdicts told. */
import type { CounterReading, RuleDelta, RulePacket, RuleView } from '@canal/rules-ast';
import type { Ip, IpFamily } from 'net-types';

/** What guards all pods alike, beside the rules of policies. */
export interface PolicyGuard {
  /** All addresses of all nodes, this one too: who may send to the tunnel ports, and whom pods may not send there. Empty: not known yet, and then the tunnel ports are not guarded against outsiders. */
  readonly nodeAddresses: readonly Ip[];
  /** UDP ports on which nodes take tunnelled packets (8472 of vxlan, …). */
  readonly tunnelPorts: readonly number[];
  /** Of new allowed flows one in so many is told; 0: none. */
  readonly allowSample: number;
}

export interface PolicyKernel {
  /**
   * Reads all of ours back and writes the difference alone: nothing when nothing differs. Packets see the old rules or
   * the new ones, at no moment none. Throws KernelError.
   */
  resync(view: RuleView, guard: PolicyGuard): Promise<PolicyResync>;

  /** Writes one change, without reading. After a failure (KernelError) only `resync` is right. */
  apply(delta: RuleDelta, view: RuleView): Promise<void>;

  /**
   * Writes what of the guard differs from what was last written, and follows the MAC of the pods' bridge. After a failure
   * (KernelError) only `resync` is right.
   */
  setGuard(guard: PolicyGuard): Promise<void>;

  /** What this kernel cannot do, as the last write found it; nothing on most. Pods are closed where that is needed. */
  limits(): readonly PolicyLimit[];

  /**
   * True when the static rules are there, so that a pod's interface which nobody told of is isolated. Reads alone: asked
   * before the first `resync`, when what is in force is that of an agent before this one. Throws KernelError.
   */
  isClosed(): Promise<boolean>;

  /**
   * Tells that others changed our tables; our own changes are left out. Begins with one `resync` once it listens, so
   * that nothing is missed; ends when the signal aborts.
   */
  monitor(signal: AbortSignal): AsyncIterable<PolicyKernelEvent>;

  /**
   * Cuts the flows that `allowed` denies and mends those cut before that it allows now. Asked for flows that have one
   * of `addresses` at an end (all: of every local endpoint), by their first packet. One call at a time: `allowed` speaks
   * for the rules that are in force when it is asked. Flows of the node itself are not asked about. `tightened` is
   * false when the rules have only been loosened since the last call: then no packet that is under way can open a flow
   * that is denied, and none is waited for. Throws KernelError.
   */
  judgeFlows(
    addresses: ReadonlySet<Ip>,
    allowed: (packet: RulePacket) => boolean,
    tightened?: boolean,
  ): Promise<FlowJudgement>;

  /** Verdicts as packets get them; ends when the signal aborts. Records that were lost are counted in `lost`. */
  verdicts(signal: AbortSignal): AsyncIterable<VerdictRecord>;

  /**
   * What counters have counted: those of chains that are in force, and those that were kept. One listing of the kernel's,
   * only when asked; none where nothing was written yet. Throws KernelError.
   */
  counters(): Promise<readonly CounterReading[]>;

  /** Removes all of ours; true when there was something. For uninstall alone. */
  remove(): Promise<boolean>;

  /** Closes the sockets; every later call throws KernelError. */
  close(): void;
}

export interface PolicyResync {
  /** Objects written or deleted (chains, rules, elements); 0: nothing differed. */
  readonly writes: number;
  /** What was not so, for the log: at most 20 lines. */
  readonly differences: readonly string[];
  /** Addresses that the kernel had as those of pods and the view has not: their flows may be open. Absent: none. */
  readonly gone?: readonly Ip[];
}

export interface PolicyLimit {
  readonly code:
    /** The ARP of routed pods is not guarded. */
    | 'arp-unguarded'
    /** Pods on a bridge cannot be guarded, and are isolated. */
    | 'bridge-isolated';
  /** With what to do. */
  readonly message: string;
}

export type PolicyKernelEvent = { readonly type: 'changed'; readonly what: string } | { readonly type: 'resync' };

export interface FlowJudgement {
  readonly seen: number;
  readonly cut: number;
  readonly mended: number;
}

/** Why a packet got its verdict, as far as the kernel knows; policies are joined by whoever reads it. */
export type VerdictReason =
  /** No rule of the chain allowed it. */
  | 'ingress-denied'
  | 'egress-denied'
  /** A new flow that both ends allowed (sampled). */
  | 'allowed'
  /** A flow that was cut when policy changed. */
  | 'cut'
  /** A pod used an address, MAC or message (ARP, ND, RA) that is not its own. */
  | 'spoofed'
  /** An interface that looks like a pod's and is not known. */
  | 'unknown-endpoint'
  /** To a tunnel port of a node, or an encapsulation. */
  | 'tunnel'
  /** In mid-stream or invalid to conntrack, at an isolated pod. */
  | 'invalid';

export interface VerdictRecord {
  readonly reason: VerdictReason;
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
  readonly family: IpFamily;
  readonly source: Ip;
  readonly destination: Ip;
  /** IP protocol number; 0: ARP, with the addresses that it speaks of. */
  readonly protocol: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /**
   * Names of the interfaces, when the hook knows them; of a bridge's port, that of the port. Packets of flows that were
   * cut are told where they come in.
   */
  readonly inInterface?: string;
  readonly outInterface?: string;
  /** Records lost since the one before this, by a full socket or because there were more than can be told. */
  readonly lost: number;
}
