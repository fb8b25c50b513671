import { attribute, type AttributesOf, attributeTable, nested } from '../wire/attribute-table.ts';
import { type AfSpec, afSpecTable, type BridgeAfSpec, bridgeAfSpec } from './af-spec.ts';
import { type BridgePortData, bridgePortTable } from './bridge-port.ts';
import { IFLA } from './constants.ts';
import { deviceAttributes } from './device-attributes.ts';
import { linkInfo } from './info.ts';

/** Attributes of AF_UNSPEC messages, the usual ones. */
export const linkTable = attributeTable({
  ...deviceAttributes,
  /** Kind and the kind's settings. */
  info: attribute(IFLA.LINKINFO, linkInfo),
  /** Per-family settings: IPv4 sysctls, IPv6 address mode. */
  afSpec: attribute<AfSpec>(IFLA.AF_SPEC, nested(afSpecTable)),
});

/** Attributes of AF_BRIDGE messages: what `bridge link` and `bridge vlan` show and set. */
export const bridgeLinkTable = attributeTable({
  ...deviceAttributes,
  info: attribute(IFLA.LINKINFO, linkInfo),
  bridgePort: attribute<BridgePortData>(IFLA.PROTINFO, nested(bridgePortTable)),
  bridgeAfSpec: attribute<BridgeAfSpec>(IFLA.AF_SPEC, bridgeAfSpec),
});

export type LinkAttributes = AttributesOf<typeof linkTable>;
export type BridgeLinkAttributes = AttributesOf<typeof bridgeLinkTable>;
