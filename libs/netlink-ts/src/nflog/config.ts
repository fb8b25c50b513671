/** What a listener tells the kernel about the group that it listens to. */
import type { NetlinkRequest } from '../connection/request.ts';
import { NFNL_SUBSYS, nfgenmsg, nfnetlinkType } from '../nfnetlink/header.ts';
import { objectRequest } from '../rtnetlink/object-request.ts';
import { attribute, attributeTable } from '../wire/attribute-table.ts';
import { type InputOf, objectCodec, type ObjectOf } from '../wire/object-codec.ts';
import { be16, be32, u8 } from '../wire/scalars.ts';
import { type StructField, struct, u8At } from '../wire/struct.ts';
import { NFULNL_CFG_CMD, NFULNL_COPY, NFULNL_MSG } from './constants.ts';

const be32At = (offset: number): StructField<number> => ({
  offset,
  bytes: 4,
  zero: 0,
  read: (source, at) => source.be32(at),
  write: (view, at, value) => view.setUint32(at, value, false),
});

/** struct nfulnl_msg_config_mode: packed. */
const configMode = struct(6, { copyRange: be32At(0), copyMode: u8At(4) });

export const nflogConfigTable = attributeTable({
  /** NFULNL_CFG_CMD_*; carried out before the rest. */
  command: attribute(1, u8),
  /** NFULNL_COPY_*, and how many bytes of a packet at most. */
  mode: attribute(2, configMode),
  /** Size of the datagrams that packets are gathered in, up to 128 KiB. */
  bufferBytes: attribute(3, be32),
  /** How long a packet waits for others to be sent with, in hundredths of a second. */
  timeoutCentiseconds: attribute(4, be32),
  /** As many packets are sent at once without waiting. */
  threshold: attribute(5, be32),
  /** NFULNL_CFG_F_*. */
  flags: attribute(6, be16),
});

export const nflogConfigCodec = objectCodec('nflog config', nfgenmsg, nflogConfigTable);

/** `resourceId` is the group. */
export type NflogConfig = ObjectOf<typeof nflogConfigCodec>;
export type NflogConfigInput = InputOf<typeof nflogConfigCodec>;

export interface NflogSettings {
  /** Bytes of each packet that are told; the rule may ask for less. */
  readonly copyBytes: number;
  readonly bufferBytes?: number;
  readonly timeoutCentiseconds?: number;
  readonly threshold?: number;
  readonly flags?: number;
}

/**
 * Has the packets of the group sent to this socket, until it is closed. A group has one listener in a network namespace:
 * EPERM when there is another (and without CAP_NET_ADMIN), EBUSY when this socket has it already.
 */
export function bindNflogGroup(group: number, settings: NflogSettings): NetlinkRequest {
  const { copyBytes, ...others } = settings;
  return configure('bind nflog group', {
    resourceId: group,
    command: NFULNL_CFG_CMD.BIND,
    mode: { copyRange: copyBytes, copyMode: NFULNL_COPY.PACKET },
    ...others,
  });
}

/** Ends what `bindNflogGroup` began. */
export function unbindNflogGroup(group: number): NetlinkRequest {
  return configure('unbind nflog group', { resourceId: group, command: NFULNL_CFG_CMD.UNBIND });
}

function configure(operation: string, input: NflogConfigInput): NetlinkRequest {
  const type = nfnetlinkType(NFNL_SUBSYS.ULOG, NFULNL_MSG.CONFIG);
  return objectRequest(operation, type, 0, nflogConfigCodec, input);
}
