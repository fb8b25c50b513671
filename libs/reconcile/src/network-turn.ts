/** One pass over the kernel's network: read, plan, perform. Everything that touches the kernel is behind the port. */
import { describeOperation, diffNetwork, isOwnLinkName, type NetworkConflict, sysctlPath } from '@canal/delta';
import type { KernelFault, NetworkKernel, SnapshotScope } from '@canal/kernel-port';
import {
  type DesiredSysctl,
  type NetworkOperation,
  type NetworkSnapshot,
  type NetworkState,
  NODE_ROUTE_PROTOCOL,
  POD_ROUTE_PROTOCOL,
} from '@canal/model';
import type { Cidr } from 'net-types';
import type { Drift, Repair } from './drift.ts';
import type { LinkLinger } from './link-linger.ts';

export interface NetworkTurnOptions {
  /** The store has delivered every node; before that nothing is deleted. */
  readonly inSync: boolean;
  /** Keeps devices that have just become unneeded; without it they go at once. */
  readonly linger?: LinkLinger;
  /** Tells what of the turn undid what others did; without it nothing is told. */
  readonly drift?: Drift;
  readonly signal?: AbortSignal;
}

export interface NetworkTurnReport {
  /** Operations that the kernel took; empty when it was as desired. */
  readonly performed: readonly NetworkOperation[];
  /** Objects that others changed and that are now as they were. */
  readonly repairs: readonly Repair[];
  /** Operations that it refused, to be tried again. */
  readonly failures: readonly OperationFailure[];
  /** Things of others in the way of ours: reported, not retried. */
  readonly conflicts: readonly NetworkConflict[];
  /** Switches that keep packets from flowing and that this process may not write. */
  readonly readOnlySysctls: readonly ReadOnlySysctl[];
}

export interface OperationFailure {
  readonly operation: NetworkOperation;
  readonly error: KernelFault;
  /** Both in one line, the operation in the words of iproute2. */
  readonly text: string;
}

export interface ReadOnlySysctl {
  /** As sysctl(8) takes it. */
  readonly path: string;
  readonly value: number;
  readonly cure: string;
}

/** `desired` may depend on what is there: which pods' devices exist. */
export async function turnNetwork(
  kernel: NetworkKernel,
  desired: (snapshot: NetworkSnapshot) => NetworkState,
  options: NetworkTurnOptions,
): Promise<NetworkTurnReport> {
  const first = await pass(kernel, desired, options, []);
  const refused = first.failures.flatMap(blockedDestination);
  if (refused.length === 0) return first;
  // Whose route it is that stands there needs a walk of the whole table, so it is asked only now.
  const second = await pass(kernel, desired, options, refused);
  return {
    ...second,
    performed: [...first.performed, ...second.performed],
    repairs: [...first.repairs, ...second.repairs],
  };
}

function blockedDestination({ operation, error }: OperationFailure): Cidr[] {
  return operation.type === 'route-add' && error.code === 'EEXIST' ? [operation.route.destination] : [];
}

async function pass(
  kernel: NetworkKernel,
  desired: (snapshot: NetworkSnapshot) => NetworkState,
  { inSync, linger, drift, signal }: NetworkTurnOptions,
  foreignDestinations: readonly Cidr[],
): Promise<NetworkTurnReport> {
  const snapshot = await kernel.readSnapshot(scopeOf(foreignDestinations));
  const state = desired(snapshot);
  const keepLinks = linger?.keep(state, snapshot) ?? new Set();
  const plan = diffNetwork(state, snapshot, { inSync, keepLinks });
  const { operations, conflicts } = plan;
  drift?.planned(state, snapshot, plan, inSync);
  const results = operations.length === 0 ? [] : await kernel.apply(operations, signal);
  const performed: NetworkOperation[] = [];
  const refused: NetworkOperation[] = [];
  const failures: OperationFailure[] = [];
  const readOnlySysctls: ReadOnlySysctl[] = [];
  const dispensable: NetworkConflict[] = [];
  for (const [index, operation] of operations.entries()) {
    const result = results[index];
    if (result === undefined || result.ok) {
      performed.push(operation);
      continue;
    }
    refused.push(operation);
    if (operation.type === 'sysctl-set' && isReadOnly(result.error)) {
      if (isVital(operation.sysctl)) readOnlySysctls.push(readOnly(operation.sysctl));
      else dispensable.push(dispensableSysctl(operation.sysctl));
    } else failures.push({ operation, error: result.error, text: textOf(operation, result.error) });
  }
  const repairs = drift?.performed(performed, refused) ?? [];
  return { performed, repairs, failures, conflicts: [...conflicts, ...dispensable], readOnlySysctls };
}

/** What a snapshot has to hold for the diff. */
function scopeOf(foreignDestinations: readonly Cidr[]): SnapshotScope {
  return {
    links: isOwnLinkName,
    routeProtocols: [NODE_ROUTE_PROTOCOL, POD_ROUTE_PROTOCOL],
    ...(foreignDestinations.length === 0 ? {} : { foreignDestinations }),
  };
}

/** /proc/sys mounted read-only (the default of containers), or owned by a user namespace above ours. */
function isReadOnly({ code }: KernelFault): boolean {
  return code === 'EROFS' || code === 'EACCES' || code === 'EPERM';
}

/**
 * Without IPv6's switch of conf/all no IPv6 packet is forwarded. IPv4's is a default for devices to come, and canal sets
 * its devices one by one, over netlink; proxy_delay only slows a first packet, accept_ra only hardens a device that nobody advertises on, and where
 * disable_ipv6 stands in the way the address is refused, which is told by itself.
 */
function isVital({ link, family, name }: DesiredSysctl): boolean {
  return name !== 'accept_ra' && name !== 'disable_ipv6' && name !== 'proxy_delay' && !(link === 'all' && family === 4);
}

function readOnly(sysctl: DesiredSysctl): ReadOnlySysctl {
  return { path: sysctlPath(sysctl), value: sysctl.value, cure: cureOf(sysctl) };
}

function dispensableSysctl(sysctl: DesiredSysctl): NetworkConflict {
  const path = sysctlPath(sysctl);
  return {
    code: 'SysctlDiffers',
    subject: `sysctl ${path}`,
    message: `${path} should be ${sysctl.value} and cannot be written from here`,
    cure: cureOf(sysctl),
    ...(sysctl.link !== 'all' && { link: sysctl.link }),
  };
}

function cureOf(sysctl: DesiredSysctl): string {
  return `on the host: sysctl -w ${sysctlPath(sysctl)}=${sysctl.value}, and write it to a file in /etc/sysctl.d`;
}

function textOf(operation: NetworkOperation, { code, message }: KernelFault): string {
  return `${describeOperation(operation)}: ${message} (${code})`;
}
