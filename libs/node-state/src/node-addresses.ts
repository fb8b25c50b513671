/**
 * What the plugin does to the state of a node, each under the network's lock: reserve the addresses of an ADD, release
 * those of a DEL, collect garbage. Attachment record and reservations change together and in this order, so that whoever
 * dies in between leaves a record that tells what to clean:
 *
 *     ADD   record, then reservations          DEL   reservations, then record
 */
import { type NetworkName } from '@canal/cni-spec';
import {
  type AllocationPlan,
  type AllocationProblem,
  type AllocationRequest,
  attachmentKey,
  ownerIs,
  planAllocation,
  reservationsOfEarlierBoots,
  unlistedReservations,
} from '@canal/ipam';
import type { Attachment } from '@canal/model';
import { err, type Ip, ok, type Result } from 'net-types';
import { type AddressPool, withAddressPool, withExistingAddressPool } from './address-pool.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { type AttachmentKey, type AttachmentStore, keyOfAttachment, parseAttachmentKey } from './attachment-store.ts';
import { NodeStateError } from './node-state-error.ts';
import { takePoolLock } from './pool-lock.ts';
import { readIfPresent } from './present-file.ts';

export interface NodeAddressesOptions {
  readonly dataDir: string;
  readonly network: NetworkName;
  readonly attachments: AttachmentStore;
  /** readBootId(). */
  readonly bootId: string;
  readonly lockTimeoutMs: number;
}

export interface ReserveRequest extends AllocationRequest {
  /** The record of this ADD with the addresses of the plan. */
  readonly recordOf: (plan: AllocationPlan) => Attachment;
  /** Whether the sandbox of a record is provably gone; asked only when no address is free. */
  readonly isGone: (attachment: Attachment) => boolean;
}

export interface ReservedAddresses {
  readonly plan: AllocationPlan;
  readonly attachment: Attachment;
  /** The record that an earlier ADD of the same container and interface had left. */
  readonly previous: Attachment | undefined;
}

export interface NodeAddresses {
  /** Reserves one address of each range set, or none at all. */
  reserve(key: AttachmentKey, request: ReserveRequest): Result<ReservedAddresses, AllocationProblem>;
  /** Takes a reservation back: only what it made, never what an earlier ADD of the container had. */
  undo(key: AttachmentKey, reserved: ReservedAddresses): void;
  /** Releases all that the container and interface holds, and forgets it. Nothing to release is fine. */
  release(key: AttachmentKey): void;
  /** GC: releases and forgets whatever none of these owns. */
  releaseUnlisted(valid: readonly AttachmentKey[]): void;
  /** Releases and forgets what the test says is gone. */
  releaseGone(isGone: (attachment: Attachment) => boolean): void;
  /** The addresses that the container and interface holds by the files. */
  heldBy(key: AttachmentKey): readonly Ip[];
  /** Whoever has a record, readable or not, or an address. */
  known(): readonly AttachmentKey[];
}

/** Boot in which the network's earlier state was swept last; beside the records. */
const SWEPT_BOOT = '.swept-boot-id';
/** No network can have the name. */
const SHARED_LOCK = '.canal-lock';

export function createNodeAddresses(options: NodeAddressesOptions): NodeAddresses {
  const { network, attachments } = options;
  return {
    reserve: (key, request) =>
      withAddressPool(options, (pool) => {
        using _others = lockAmongNetworks(options);
        return reserve(options, pool, key, request);
      }),
    undo: (key, { plan, previous }) => {
      withAddressPool(options, (pool) => {
        for (const { ip, fresh } of plan.grants) if (fresh) pool.release(ip);
        if (previous === undefined) attachments.remove(network, key);
        else attachments.write(network, key, previous);
      });
    },
    release: (key) => {
      withExistingAddressPool(options, (pool) => {
        for (const ip of heldIn(options, pool, key)) pool.release(ip);
        // All writers of records hold this lock: what is half written was left by one that was killed.
        attachments.removeTemporaries(network);
      });
      attachments.remove(network, key);
    },
    releaseUnlisted: (valid) => {
      withExistingAddressPool(options, (pool) => {
        for (const { ip } of unlistedReservations(pool.reservations(), valid)) pool.release(ip);
        attachments.removeTemporaries(network);
      });
      forgetUnlisted(options, valid);
    },
    releaseGone: (isGone) => {
      withExistingAddressPool(options, (pool) => {
        reclaim(options, pool, undefined, isGone);
      });
    },
    heldBy: (key) => withExistingAddressPool(options, (pool) => heldIn(options, pool, key)) ?? [],
    known: () => {
      const owners = withExistingAddressPool(options, (pool) => pool.reservations().map(({ owner }) => owner)) ?? [];
      const keys = [...recordedKeys(options), ...owners.flatMap((owner) => (owner && parseAttachmentKey(owner)) ?? [])];
      return [...new Map(keys.map((key) => [attachmentKey(key), key])).values()];
    },
  };
}

/**
 * Networks of one directory may share a subnet, and each has a lock of its own: without this one two ADDs at the same
 * time would find the same address free in both. Always taken after the network's own.
 */
function lockAmongNetworks({ dataDir, lockTimeoutMs }: NodeAddressesOptions): Disposable {
  const lock = takePoolLock(`${dataDir}/${SHARED_LOCK}`, lockTimeoutMs);
  if (lock === undefined) throw new NodeStateError('missing', dataDir, 'was deleted while an address was reserved');
  return lock;
}

function reserve(
  options: NodeAddressesOptions,
  pool: AddressPool,
  key: AttachmentKey,
  request: ReserveRequest,
): Result<ReservedAddresses, AllocationProblem> {
  sweepAfterBoot(options, pool);
  const previous = readRecord(options, key);
  // By all files, since an ADD that was killed may have left a record of other addresses than those it held before.
  const owned = previous === undefined ? [] : ownedFiles(pool, key);
  const lastReserved = request.rangeSets.map((_ranges, index) => pool.lastReserved(index));
  const plan = (): Result<AllocationPlan, AllocationProblem> =>
    planAllocation({ taken: pool.taken(), owned, lastReserved }, request);
  let planned = plan();
  if (!planned.ok && planned.error.kind === 'exhausted') {
    reclaim(options, pool, key, request.isGone);
    planned = plan();
  }
  if (!planned.ok) return err(planned.error);
  const reserved = { plan: planned.value, attachment: request.recordOf(planned.value), previous };
  carryOut(options, pool, key, reserved);
  return ok(reserved);
}

/** Writes record and reservations; a write that fails (ENOSPC) takes back what went before it. */
function carryOut(
  { network, attachments }: NodeAddressesOptions,
  pool: AddressPool,
  key: AttachmentKey,
  { plan, attachment, previous }: ReservedAddresses,
): void {
  attachments.write(network, key, attachment);
  const made: Ip[] = [];
  try {
    for (const { rangeSet, ip, fresh } of plan.grants) {
      if (!fresh) continue;
      pool.setLastReserved(rangeSet, ip);
      pool.reserve(ip, key);
      made.push(ip);
    }
  } catch (error) {
    for (const ip of made) pool.release(ip);
    // A record of addresses that are not held would have the node agent route another pod's to this one.
    if (previous === undefined) attachments.remove(network, key);
    else attachments.write(network, key, previous);
    throw error;
  }
  for (const ip of plan.surplus) pool.release(ip);
}

/**
 * By the record, which is one read. By all files, which a full node has hundreds of, when there is none or when it does
 * not tell what is there: host-local may have served the container since.
 */
function heldIn(options: NodeAddressesOptions, pool: AddressPool, key: AttachmentKey): Ip[] {
  const recorded = readRecord(options, key)?.addresses.map((address) => address.ip) ?? [];
  if (recorded.length > 0 && recorded.every((ip) => isHeldBy(pool, ip, key))) return recorded;
  return ownedFiles(pool, key);
}

function ownedFiles(pool: AddressPool, key: AttachmentKey): Ip[] {
  return pool.reservations().flatMap(({ ip, owner }) => (owner !== undefined && ownerIs(owner, key) ? [ip] : []));
}

function isHeldBy(pool: AddressPool, ip: Ip, key: AttachmentKey): boolean {
  const owner = pool.ownerOf(ip);
  return owner !== undefined && ownerIs(owner, key);
}

/** A record that does not parse is as good as none: the files tell the rest. */
function readRecord({ network, attachments }: NodeAddressesOptions, key: AttachmentKey): Attachment | undefined {
  try {
    return attachments.read(network, key);
  } catch (error) {
    if (error instanceof NodeStateError && error.code === 'invalid') return undefined;
    throw error;
  }
}

/** Once a boot, before its first reservation: what earlier boots recorded belongs to sandboxes that are gone. */
function sweepAfterBoot(options: NodeAddressesOptions, pool: AddressPool): void {
  const { network, attachments, bootId } = options;
  const directory = attachments.directoryOf(network);
  if (readIfPresent(`${directory}/${SWEPT_BOOT}`) === bootId) return;
  const { attachments: records, unreadable } = attachments.list(network);
  const earlier = [
    ...records.filter((record) => record.bootId !== bootId).map(keyOfAttachment),
    // Torn by the power cut that ended the boot: a running system writes records whole.
    ...unreadable.flatMap(({ key }) => (key === undefined ? [] : [key])),
  ];
  for (const { ip } of reservationsOfEarlierBoots(pool.reservations(), earlier)) pool.release(ip);
  for (const key of earlier) attachments.remove(network, key);
  attachments.removeTemporaries(network);
  attachments.createDirectory(network);
  writeFileAtomic(directory, SWEPT_BOOT, bootId, { mode: 0o600, survives: 'process' });
}

/** Releases and forgets each record but `except` that passes the test. */
function reclaim(
  options: NodeAddressesOptions,
  pool: AddressPool,
  except: AttachmentKey | undefined,
  isGone: (attachment: Attachment) => boolean,
): void {
  for (const record of options.attachments.list(options.network).attachments) {
    const key = keyOfAttachment(record);
    const own = key.containerId === except?.containerId && key.containerInterface === except.containerInterface;
    if (own || !isGone(record)) continue;
    for (const { ip } of record.addresses) if (isHeldBy(pool, ip, key)) pool.release(ip);
    options.attachments.remove(options.network, key);
  }
}

function forgetUnlisted(options: NodeAddressesOptions, valid: readonly AttachmentKey[]): void {
  const { network, attachments } = options;
  const keys = new Set(valid.map(attachmentKey));
  for (const key of recordedKeys(options)) {
    if (!keys.has(attachmentKey(key))) attachments.remove(network, key);
  }
}

function recordedKeys({ network, attachments }: NodeAddressesOptions): AttachmentKey[] {
  const { attachments: records, unreadable } = attachments.list(network);
  return [...records.map(keyOfAttachment), ...unreadable.flatMap(({ key }) => (key === undefined ? [] : [key]))];
}
