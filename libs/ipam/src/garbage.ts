/** Who holds an address that the runtime does not know: the GC verb, and the first ADD after a boot. */
import { type AttachmentId, attachmentKey, type Owner, type Reservation } from './reservation.ts';

/**
 * What GC releases: all that none of the valid attachments owns. A file without owner is nobody's: it is GC's as well,
 * since the runtime runs GC beside no ADD.
 */
export function unlistedReservations(
  reservations: readonly Reservation[],
  valid: readonly AttachmentId[],
): readonly Reservation[] {
  const owners = ownerSet(valid);
  return reservations.filter(({ owner }) => owner === undefined || !owners.has(owner));
}

/**
 * What the first ADD after a boot releases: addresses whose record is of an earlier boot, since no sandbox outlives one,
 * and files that a power cut left without owner. What has no record at all stays: host-local may have given it out in
 * this boot. Those are the node agent's to judge.
 */
export function reservationsOfEarlierBoots(
  reservations: readonly Reservation[],
  earlier: readonly AttachmentId[],
): readonly Reservation[] {
  const owners = ownerSet(earlier);
  return reservations.filter(({ owner }) => owner === undefined || owners.has(owner));
}

/** Owners without interface (an old host-local's files) match any attachment of their container. */
function ownerSet(attachments: readonly AttachmentId[]): { has(owner: Owner): boolean } {
  const keys = new Set(attachments.map(attachmentKey));
  const containers = new Set(attachments.map(({ containerId }) => containerId));
  return {
    has: ({ containerId, containerInterface }) =>
      containerInterface === undefined
        ? containers.has(containerId)
        : keys.has(attachmentKey({ containerId, containerInterface })),
  };
}
