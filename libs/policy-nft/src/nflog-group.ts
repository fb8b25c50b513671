/** NFLOG group that verdicts are told to. */
export const NFLOG_GROUP = 20;

/** Prefix of every record, followed by a VerdictReason. */
export const NFLOG_PREFIX = 'canal:';

/** Bytes of the packet in a record: IPv6 header, some extension header, ports. */
export const NFLOG_SNAP_BYTES = 64;
