/**
 * The node agent's side of garbage collection: what is seen of each reservation's owner, and the release of those that
 * ipam's judgeReservations() found unowned. See there for why containerd makes this necessary.
 */
import { type NetworkName } from '@canal/cni-spec';
import { attachmentKey, type JudgedReservation, type Owner, type OwnerEvidence, type Sighting } from '@canal/ipam';
import type { Attachment } from '@canal/model';
import { type InterfaceName, type Ip } from 'net-types';
import { type AddressPool, withExistingAddressPool } from './address-pool.ts';
import { type AttachmentKey, type AttachmentStore, keyOfAttachment, parseAttachmentKey } from './attachment-store.ts';
import { type CniCache } from './cni-cache.ts';
import { NodeStateError } from './node-state-error.ts';

export interface StaleAddressesOptions {
  readonly dataDir: string;
  readonly network: NetworkName;
  readonly attachments: AttachmentStore;
  readonly cache: CniCache;
  readonly bootId: string;
  readonly lockTimeoutMs: number;
  /** Whether a namespace path is there; `unknown` where the agent cannot see the host's directory. */
  readonly netns: (path: string) => Sighting;
  /** Whether the host has a link of this name. */
  readonly hostLink: (name: InterfaceName) => Sighting;
}

export interface StaleAddresses {
  /** All reservations of the network, and recorded addresses without one, each with what is known of its owner. */
  observe(): JudgedReservation[];
  /**
   * Releases those that still are as they were observed, and forgets the records of their owners. Gives the addresses
   * that it released: what was given out anew in between stays.
   */
  release(judged: readonly JudgedReservation[]): Ip[];
  /**
   * Looks at one address and releases it if `isGone` says so, and with it the others of its owner of which it says so: all
   * under one hold of the lock, so that no ADD comes in between. Gives what it released; undefined when nobody holds the address.
   */
  releaseIf(ip: Ip, isGone: (now: JudgedReservation) => boolean): readonly Ip[] | undefined;
}

/** An address that a record names and no file holds: an ADD or a DEL was cut off between the two. */
const NO_FILE = 'no file';

export function createStaleAddresses(options: StaleAddressesOptions): StaleAddresses {
  return {
    observe() {
      const records = recordsByOwner(options);
      const evidenceOf = witness(options, records);
      const observed = withExistingAddressPool(options, (pool) => observePool(pool, records, evidenceOf));
      return observed ?? [];
    },
    release(judged) {
      const released = withExistingAddressPool(options, (pool) =>
        judged.filter((each) => releaseOne(options, pool, each)),
      );
      return (released ?? []).map(({ ip }) => ip);
    },
    releaseIf: (ip, isGone) =>
      withExistingAddressPool(options, (pool) => {
        const records = recordsByOwner(options);
        const all = observePool(pool, records, witness(options, records));
        const asked = all.find((each) => each.ip === ip);
        if (asked === undefined) return undefined;
        if (!isGone(asked)) return [];
        const others = all.filter((each) => each !== asked && isSameOwner(each.owner, asked.owner) && isGone(each));
        return [asked, ...others].filter((each) => releaseOne(options, pool, each)).map((each) => each.ip);
      }),
  };
}

/** What is known of an owner, as the runtime's cache says now. */
function witness(
  options: StaleAddressesOptions,
  records: ReadonlyMap<string, Attachment>,
): (owner: Owner | undefined) => OwnerEvidence {
  const cached = cachedByOwner(options);
  return (owner) => {
    const key =
      owner?.containerInterface === undefined
        ? undefined
        : attachmentKey({ ...owner, containerInterface: owner.containerInterface });
    const record = key === undefined ? undefined : records.get(key);
    if (record !== undefined) return recordEvidence(options, record, cached?.has(key ?? ''));
    const netns = key === undefined ? undefined : cached?.get(key);
    return {
      recordedBoot: 'unknown',
      netns: netns === undefined ? 'unknown' : options.netns(netns),
      hostLink: 'unknown',
      runtimeCache: cacheSighting(cached, owner),
    };
  };
}

function observePool(
  pool: AddressPool,
  records: ReadonlyMap<string, Attachment>,
  evidenceOf: (owner: Owner | undefined) => OwnerEvidence,
): JudgedReservation[] {
  const held = pool.reservations();
  const files = new Set(held.map(({ ip }) => ip));
  const recorded = [...records.values()].flatMap((record) =>
    record.addresses.filter(({ ip }) => !files.has(ip)).map(({ ip }) => ({ ip, owner: keyOfAttachment(record) })),
  );
  return [...held, ...recorded].map((reservation) => ({
    ...reservation,
    generation: pool.generationOf(reservation.ip) ?? NO_FILE,
    evidence: evidenceOf(reservation.owner),
  }));
}

/** Under the lock: the file must be the one that was judged. */
function releaseOne(options: StaleAddressesOptions, pool: AddressPool, judged: JudgedReservation): boolean {
  const { ip, generation, owner } = judged;
  if ((pool.generationOf(ip) ?? NO_FILE) !== generation) return false;
  pool.release(ip);
  const key = owner === undefined ? undefined : parseAttachmentKey(owner);
  if (key !== undefined && !isOfOtherAddresses(options, key, ip)) options.attachments.remove(options.network, key);
  return true;
}

function isSameOwner(a: Owner | undefined, b: Owner | undefined): boolean {
  if (a?.containerInterface === undefined || b === undefined) return false;
  return a.containerId === b.containerId && a.containerInterface === b.containerInterface;
}

/** Such a record is of an ADD that came after the look at this address: its pod lives. */
function isOfOtherAddresses({ attachments, network }: StaleAddressesOptions, key: AttachmentKey, ip: Ip): boolean {
  try {
    const record = attachments.read(network, key);
    return record !== undefined && !record.addresses.some((address) => address.ip === ip);
  } catch (error) {
    if (error instanceof NodeStateError && error.code === 'invalid') return false;
    throw error;
  }
}

function recordsByOwner({ attachments, network }: StaleAddressesOptions): Map<string, Attachment> {
  return new Map(attachments.list(network).attachments.map((record) => [attachmentKey(record), record]));
}

/** Namespace path by owner; undefined when the runtime has no cache here. */
function cachedByOwner({ cache, network }: StaleAddressesOptions): ReadonlyMap<string, string | undefined> | undefined {
  const entries = cache.list(network);
  return entries && new Map(entries.map((entry) => [attachmentKey(entry), entry.netns]));
}

function recordEvidence(
  { bootId, netns, hostLink }: StaleAddressesOptions,
  record: Attachment,
  isCached: boolean | undefined,
): OwnerEvidence {
  return {
    recordedBoot: record.bootId === bootId ? 'this' : 'earlier',
    netns: netns(record.netns),
    hostLink: hostLink(record.hostInterface),
    runtimeCache: isCached === undefined ? 'unknown' : isCached ? 'present' : 'absent',
  };
}

function cacheSighting(cached: ReadonlyMap<string, unknown> | undefined, owner: Owner | undefined): Sighting {
  // A file that names nobody can be nobody's in the cache either.
  if (owner === undefined) return 'absent';
  if (cached === undefined) return 'unknown';
  const { containerId, containerInterface } = owner;
  const isOwn = (key: string): boolean =>
    containerInterface === undefined
      ? key.startsWith(`${containerId}:`)
      : key === attachmentKey({ containerId, containerInterface });
  return [...cached.keys()].some(isOwn) ? 'present' : 'absent';
}
