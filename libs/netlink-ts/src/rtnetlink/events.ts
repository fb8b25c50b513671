import { type Address, addressCodec } from '../address/message.ts';
import { type NetlinkMonitor, createNetlinkMonitor, type NetlinkMonitorOptions } from '../connection/monitor.ts';
import type { NetlinkEventTransport } from '../connection/transport.ts';
import { type Link, linkCodec } from '../link/message.ts';
import { type Neighbour, neighbourCodec } from '../neighbour/message.ts';
import { type NetnsId, netnsIdCodec } from '../netns-id/message.ts';
import { type Nexthop, nexthopCodec } from '../nexthop/message.ts';
import { type Route, routeCodec } from '../route/message.ts';
import { type Rule, ruleCodec } from '../rule/message.ts';
import type { MessageFrame } from '../wire/message.ts';
import { RTM } from './message-types.ts';

/** A change as the kernel reports it. `new` also stands for "changed". */
export type RtnetlinkEvent = { readonly action: 'new' | 'del' } & (
  | { readonly type: 'link'; readonly link: Link }
  | { readonly type: 'address'; readonly address: Address }
  | { readonly type: 'route'; readonly route: Route }
  | { readonly type: 'neighbour'; readonly neighbour: Neighbour }
  | { readonly type: 'rule'; readonly rule: Rule }
  | { readonly type: 'nexthop'; readonly nexthop: Nexthop }
  | { readonly type: 'netns-id'; readonly netnsId: NetnsId }
);

/** Events of the groups that `open` subscribed to, of the kinds above; others are left out. */
export function createRtnetlinkMonitor(
  open: () => NetlinkEventTransport,
  options: NetlinkMonitorOptions = {},
): NetlinkMonitor<RtnetlinkEvent> {
  return createNetlinkMonitor(open, decodeRtnetlinkEvent, options);
}

/** Undefined for message types that are not listed in RtnetlinkEvent. Throws a DecodeError. */
export function decodeRtnetlinkEvent(frame: MessageFrame): RtnetlinkEvent | undefined {
  const { source, payloadStart: start, payloadEnd: end } = frame;
  switch (frame.type) {
    case RTM.NEWLINK:
    case RTM.DELLINK:
      return { type: 'link', action: actionOf(frame), link: linkCodec.decode(source, start, end) };
    case RTM.NEWADDR:
    case RTM.DELADDR:
      return { type: 'address', action: actionOf(frame), address: addressCodec.decode(source, start, end) };
    case RTM.NEWROUTE:
    case RTM.DELROUTE:
      return { type: 'route', action: actionOf(frame), route: routeCodec.decode(source, start, end) };
    case RTM.NEWNEIGH:
    case RTM.DELNEIGH:
      return { type: 'neighbour', action: actionOf(frame), neighbour: neighbourCodec.decode(source, start, end) };
    case RTM.NEWRULE:
    case RTM.DELRULE:
      return { type: 'rule', action: actionOf(frame), rule: ruleCodec.decode(source, start, end) };
    case RTM.NEWNEXTHOP:
    case RTM.DELNEXTHOP:
      return { type: 'nexthop', action: actionOf(frame), nexthop: nexthopCodec.decode(source, start, end) };
    case RTM.NEWNSID:
    case RTM.DELNSID:
      return { type: 'netns-id', action: actionOf(frame), netnsId: netnsIdCodec.decode(source, start, end) };
    default:
      return undefined;
  }
}

/** New, del, get, set follow each other from a multiple of four on. */
function actionOf(frame: MessageFrame): 'new' | 'del' {
  return (frame.type & 3) === 0 ? 'new' : 'del';
}
