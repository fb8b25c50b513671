export { type AddressRange, createRange, isAssignable, type RangeSet, type RangeSpec } from './address-range.ts';
export {
  type AllocationPlan,
  type AllocationProblem,
  type AllocationRequest,
  describeAllocationProblem,
  type Grant,
  planAllocation,
  type PoolSnapshot,
} from './allocation.ts';
export { reservationsOfEarlierBoots, unlistedReservations } from './garbage.ts';
export { type AttachmentId, attachmentKey, type Owner, ownerIs, type Reservation } from './reservation.ts';
export {
  isGoneForSure,
  judgeOwner,
  judgeReservations,
  type JudgedReservation,
  NO_STALENESS,
  type OwnerEvidence,
  type Sighting,
  type StalenessDecision,
  stalenessKey,
  type StalenessState,
  type Verdict,
} from './staleness.ts';
