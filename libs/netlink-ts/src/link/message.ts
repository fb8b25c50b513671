import { AF } from '../rtnetlink/family.ts';
import type { ObjectCodec } from '../wire/object-codec.ts';
import { objectCodec } from '../wire/object-codec.ts';
import { type BridgeLinkAttributes, bridgeLinkTable, type LinkAttributes, linkTable } from './attributes.ts';
import { type LinkHeader, linkHeader } from './header.ts';

/** `bridgePort` and `bridgeAfSpec` occur in messages of family AF_BRIDGE, `afSpec` in all others. */
type AllLinkAttributes = LinkAttributes & Pick<BridgeLinkAttributes, 'bridgePort' | 'bridgeAfSpec'>;

/** A network device as the kernel describes it. */
export type Link = LinkHeader & AllLinkAttributes;

/** A network device in a request: what is left out is not touched, or the kernel's default. */
export type LinkInput = Partial<LinkHeader> & AllLinkAttributes;

const usual = objectCodec('link', linkHeader, linkTable);
const ofBridge = objectCodec('link', linkHeader, bridgeLinkTable);

export const linkCodec: ObjectCodec<Link, LinkInput> = {
  name: 'link',
  encode: (writer, value) => (value.family === AF.BRIDGE ? ofBridge : usual).encode(writer, value),
  decode: (source, start, end) => (source.u8(start) === AF.BRIDGE ? ofBridge : usual).decode(source, start, end),
};
