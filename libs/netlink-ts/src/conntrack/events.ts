/**
 * What NFNLGRP_CONNTRACK_NEW, _UPDATE and _DESTROY tell. With net.netfilter.nf_conntrack_events at 2 (the default) the
 * kernel tells only of entries that were made while somebody listened.
 */
import { createNetlinkMonitor, type NetlinkMonitor, type NetlinkMonitorOptions } from '../connection/monitor.ts';
import type { NetlinkEventTransport } from '../connection/transport.ts';
import { messageOf, NFNL_SUBSYS, subsystemOf } from '../nfnetlink/header.ts';
import { type MessageFrame, NLM_F } from '../wire/message.ts';
import { IPCTNL_MSG_CT } from './constants.ts';
import { type Conntrack, conntrackCodec } from './message.ts';

export interface ConntrackEvent {
  readonly type: 'conntrack';
  readonly action: 'new' | 'update' | 'destroy';
  /** Of an update: the tuples, the id and what changed. */
  readonly conntrack: Conntrack;
}

/** Events of the groups that `open` subscribes to. */
export function createConntrackMonitor(
  open: () => NetlinkEventTransport,
  options: NetlinkMonitorOptions = {},
): NetlinkMonitor<ConntrackEvent> {
  return createNetlinkMonitor(open, decodeConntrackEvent, options);
}

/** Undefined for messages of other subsystems. Throws a DecodeError. */
export function decodeConntrackEvent(frame: MessageFrame): ConntrackEvent | undefined {
  if (subsystemOf(frame.type) !== NFNL_SUBSYS.CTNETLINK) return undefined;
  const action = actionOf(messageOf(frame.type), frame.flags);
  if (action === undefined) return undefined;
  const conntrack = conntrackCodec.decode(frame.source, frame.payloadStart, frame.payloadEnd);
  return { type: 'conntrack', action, conntrack };
}

function actionOf(message: number, flags: number): ConntrackEvent['action'] | undefined {
  if (message === IPCTNL_MSG_CT.DELETE) return 'destroy';
  if (message !== IPCTNL_MSG_CT.NEW) return undefined;
  return (flags & NLM_F.CREATE) === 0 ? 'update' : 'new';
}
