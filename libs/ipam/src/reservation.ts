import { type Ip } from 'net-types';

/** The container that holds an address. */
export interface Owner {
  readonly containerId: string;
  /** Absent in files of an old host-local: then the address is of all interfaces of the container. */
  readonly containerInterface?: string;
}

export interface Reservation {
  readonly ip: Ip;
  /** Absent when the file does not say: torn by a power cut, or its writer died inside. */
  readonly owner?: Owner;
}

/** An attachment by its CNI key. */
export interface AttachmentId {
  readonly containerId: string;
  readonly containerInterface: string;
}

export function ownerIs(owner: Owner, attachment: AttachmentId): boolean {
  if (owner.containerId !== attachment.containerId) return false;
  return owner.containerInterface === undefined || owner.containerInterface === attachment.containerInterface;
}

/** A key for maps and sets; neither part can hold a colon. */
export function attachmentKey(attachment: AttachmentId): string {
  return `${attachment.containerId}:${attachment.containerInterface}`;
}
