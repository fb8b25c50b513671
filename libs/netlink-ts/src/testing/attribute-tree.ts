import { NLA_F_NESTED } from '../wire/attribute-codec.ts';
import { forEachAttribute } from '../wire/attribute-walk.ts';
import { WireSource } from '../wire/wire-source.ts';

export type AttributeNode = readonly [rawType: number, content: string | readonly AttributeNode[]];

/**
 * Header and attributes of an nfnetlink message as a tree, to compare what two programs send: the members of a nest
 * sorted by type, those of a list (all of one type) as they are. nft sends the operation of a bitwise expression
 * sometimes; zero is what its absence means.
 */
export function attributeTree(body: Uint8Array): readonly [header: string, attributes: readonly AttributeNode[]] {
  const source = new WireSource(body);
  return [hex(body.subarray(0, 4)), nest(source, 4, source.length)];
}

function nest(source: WireSource, start: number, end: number): readonly AttributeNode[] {
  const nodes: AttributeNode[] = [];
  forEachAttribute(source, start, end, (rawType, from, to) => {
    nodes.push([rawType, (rawType & NLA_F_NESTED) !== 0 ? nest(source, from, to) : hex(source.copy(from, to))]);
  });
  return nodes.filter((node) => !isDefaultBitwiseOp(node)).sort(([a], [b]) => a - b);
}

function isDefaultBitwiseOp([rawType, content]: AttributeNode): boolean {
  return rawType === 6 && content === '00000000';
}

/** Uint8Array.toHex is not in every runtime that this package is built for. */
function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
