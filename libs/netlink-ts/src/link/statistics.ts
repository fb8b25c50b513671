import { struct, type StructOf, u64At } from '../wire/struct.ts';

/** struct rtnl_link_stats64 (linux/if_link.h). The last two counters came with Linux 4.6 and 5.19. */
export const linkStatistics = struct(
  200,
  {
    rxPackets: u64At(0),
    txPackets: u64At(8),
    rxBytes: u64At(16),
    txBytes: u64At(24),
    rxErrors: u64At(32),
    txErrors: u64At(40),
    rxDropped: u64At(48),
    txDropped: u64At(56),
    multicast: u64At(64),
    collisions: u64At(72),
    rxLengthErrors: u64At(80),
    rxOverErrors: u64At(88),
    rxCrcErrors: u64At(96),
    rxFrameErrors: u64At(104),
    rxFifoErrors: u64At(112),
    rxMissedErrors: u64At(120),
    txAbortedErrors: u64At(128),
    txCarrierErrors: u64At(136),
    txFifoErrors: u64At(144),
    txHeartbeatErrors: u64At(152),
    txWindowErrors: u64At(160),
    rxCompressed: u64At(168),
    txCompressed: u64At(176),
    rxNohandler: u64At(184),
    rxOtherhostDropped: u64At(192),
  },
  184,
);

export type LinkStatistics = StructOf<typeof linkStatistics>;
