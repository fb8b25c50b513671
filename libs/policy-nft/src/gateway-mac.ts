import { type NetnsRef, openNetlinkConnection } from '@canal/linux-ffi';
import { BRIDGE_NAME } from '@canal/model';
import { findLink } from 'netlink-ts';
import type { Mac } from 'net-types';

/** What pods on the bridge may send frames to; undefined while there is no bridge. */
export function readGatewayMac(netns: NetnsRef | undefined): Mac | undefined {
  using connection = openNetlinkConnection({ netns });
  return findLink(connection, { name: BRIDGE_NAME })?.address;
}
