/**
 * Which addresses nobody uses any more: the node agent's judgement. containerd never calls GC, so what a killed plugin,
 * a killed runtime or a lost sandbox leaves behind would stay for ever. A wrong release gives one address to two pods,
 * a late one costs an address for some minutes: in doubt an address stays.
 */
import { formatIp } from 'net-types';
import { type Reservation } from './reservation.ts';

/** `unknown` where the observer could not look: a directory that is not mounted, a record that does not exist. */
export type Sighting = 'present' | 'absent' | 'unknown';

/** What is known of the container that holds an address. */
export interface OwnerEvidence {
  /** The boot in its attachment record against the running one. */
  readonly recordedBoot: 'this' | 'earlier' | 'unknown';
  /** The namespace path of its record, or of the runtime's cache. */
  readonly netns: Sighting;
  /** Its host link; it lives exactly as long as the namespace its other end is in. */
  readonly hostLink: Sighting;
  /** Its entry in the runtime's CNI cache: until then the runtime means to call DEL. */
  readonly runtimeCache: Sighting;
}

/** `dead` at once, `unowned` once that has lasted for the grace time, `held` not at all. */
export type Verdict = 'held' | 'unowned' | 'dead';

export function judgeOwner(evidence: OwnerEvidence): Verdict {
  if (evidence.recordedBoot === 'earlier') return 'dead';
  if (evidence.hostLink === 'present' || evidence.netns === 'present') return 'held';
  // Of our own pods the link decides: without it nobody sends from the address, wherever the namespace's path went.
  if (evidence.recordedBoot === 'this') return evidence.hostLink === 'absent' ? 'unowned' : 'held';
  // No record: an ADD in flight, a leak, or a pod of host-local, whose runtime calls DEL as long as it caches the result.
  return evidence.runtimeCache === 'absent' ? 'unowned' : 'held';
}

/**
 * Whether an address may go without the grace time, because somebody asks for it: an ADD at work has written its record
 * before all else, and the namespace that it was given is there until it ends.
 */
export function isGoneForSure(evidence: OwnerEvidence): boolean {
  const { recordedBoot, hostLink, netns } = evidence;
  if (judgeOwner(evidence) === 'dead') return true;
  return recordedBoot === 'this' && hostLink === 'absent' && netns === 'absent';
}

export interface JudgedReservation extends Reservation {
  /** Changes when the address is given out anew (the file's inode and time will do). */
  readonly generation: string;
  readonly evidence: OwnerEvidence;
}

/** What StalenessState names an address by. */
export function stalenessKey({ ip, generation }: JudgedReservation): string {
  return `${formatIp(ip)} ${generation}`;
}

export interface StalenessState {
  /** When each address was first seen without owner, by the caller's monotonic clock; the clock of the day jumps. */
  readonly unownedSinceMs: ReadonlyMap<string, number>;
}

export const NO_STALENESS: StalenessState = { unownedSinceMs: new Map() };

export interface StalenessDecision {
  /** To be released, each only if its file still is of that generation under the pool's lock. */
  readonly release: readonly JudgedReservation[];
  readonly state: StalenessState;
}

/**
 * One round. An address is released when round after round found it unowned for the grace time, which must exceed the
 * longest ADD: between reserving an address and its first trace elsewhere an ADD looks just like a leak.
 */
export function judgeReservations(
  reservations: readonly JudgedReservation[],
  state: StalenessState,
  nowMs: number,
  graceMs: number,
): StalenessDecision {
  const release: JudgedReservation[] = [];
  const unownedSinceMs = new Map<string, number>();
  for (const reservation of reservations) {
    const verdict = judgeOwner(reservation.evidence);
    if (verdict === 'held') continue;
    const key = stalenessKey(reservation);
    const sinceMs = state.unownedSinceMs.get(key) ?? nowMs;
    if (verdict === 'dead' || nowMs - sinceMs >= graceMs) release.push(reservation);
    // Kept also for what is released: if the release fails, the next round tries again at once.
    unownedSinceMs.set(key, sinceMs);
  }
  return { release, state: { unownedSinceMs } };
}
