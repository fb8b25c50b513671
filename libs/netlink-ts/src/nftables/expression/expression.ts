/**
 * One step of a rule. On the wire an envelope of name and data:
 *
 *     NFTA_LIST_ELEM { NFTA_EXPR_NAME "cmp", NFTA_EXPR_DATA { attributes of that expression } }
 *
 * Here one flat object with the name as `type`. What is not in the table below comes as `other`, and goes back as it came.
 */
import { type AttributeCodec, NLA_F_NESTED, type UnknownAttribute } from '../../wire/attribute-codec.ts';
import { type AttributesOf, type AttributeTable, attributeTable, list } from '../../wire/attribute-table.ts';
import { attributeType, forEachAttribute } from '../../wire/attribute-walk.ts';
import { DecodeError } from '../../wire/decode-error.ts';
import { cstring } from '../../wire/scalars.ts';
import { bitwiseTable } from './bitwise.ts';
import { byteorderTable } from './byteorder.ts';
import { cmpTable } from './cmp.ts';
import { counterTable } from './counter.ts';
import { ctTable } from './ct.ts';
import { dynsetTable } from './dynset.ts';
import { exthdrTable } from './exthdr.ts';
import { fibTable } from './fib.ts';
import { immediateTable } from './immediate.ts';
import { limitTable } from './limit.ts';
import { logTable } from './log.ts';
import { lookupTable } from './lookup.ts';
import { masqueradeTable } from './masquerade.ts';
import { metaTable } from './meta.ts';
import { notrackTable } from './notrack.ts';
import { numgenTable } from './numgen.ts';
import { objrefTable } from './objref.ts';
import { payloadTable } from './payload.ts';
import { rangeTable } from './range.ts';
import { rejectTable } from './reject.ts';
import { matchTable, targetTable } from './xtables.ts';

const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;

const TABLES = {
  bitwise: bitwiseTable,
  byteorder: byteorderTable,
  cmp: cmpTable,
  counter: counterTable,
  ct: ctTable,
  dynset: dynsetTable,
  exthdr: exthdrTable,
  fib: fibTable,
  immediate: immediateTable,
  limit: limitTable,
  log: logTable,
  lookup: lookupTable,
  masq: masqueradeTable,
  match: matchTable,
  meta: metaTable,
  notrack: notrackTable,
  numgen: numgenTable,
  objref: objrefTable,
  payload: payloadTable,
  range: rangeTable,
  reject: rejectTable,
  target: targetTable,
};

type Tables = typeof TABLES;

/** An expression that has its own codec, by the kernel's name for it. */
export type KnownNftExpression = {
  [K in keyof Tables]: { readonly type: K } & AttributesOf<Tables[K]>;
}[keyof Tables];

/** Any other: its attributes as bytes. */
export interface OtherNftExpression {
  readonly type: 'other';
  readonly name: string;
  readonly attributes: readonly UnknownAttribute[];
}

export type NftExpression = KnownNftExpression | OtherNftExpression;

const NFTA_LIST_ELEM = 1;

/** The kernel's names of the expressions above. */
export const KNOWN_NFT_EXPRESSIONS: readonly string[] = Object.keys(TABLES);

const tableByName: ReadonlyMap<string, AttributeTable<unknown>> = new Map(Object.entries(TABLES));
/** Names no attribute, so it keeps all. */
const anyTable = attributeTable({});

export const expression: AttributeCodec<NftExpression> = {
  nested: true,
  encode: (writer, value) => {
    const nameMark = writer.beginAttribute(NFTA_EXPR_NAME);
    cstring.encode(writer, value.type === 'other' ? value.name : value.type);
    writer.endAttribute(nameMark);
    const dataMark = writer.beginAttribute(NFTA_EXPR_DATA | NLA_F_NESTED);
    if (value.type === 'other') anyTable.encode(writer, { unknown: value.attributes });
    else tableByName.get(value.type)?.encode(writer, value);
    writer.endAttribute(dataMark);
  },
  decode: (source, start, end) => {
    const found: { name?: string; data: readonly [number, number]; strange: boolean } = {
      data: [end, end],
      strange: false,
    };
    forEachAttribute(source, start, end, (rawType, from, to) => {
      const type = attributeType(rawType);
      if (type === NFTA_EXPR_NAME) found.name = source.text(from, to);
      else if (type === NFTA_EXPR_DATA) found.data = [from, to];
      else found.strange = true;
    });
    const { name, data, strange } = found;
    if (name === undefined || strange) return undefined;
    const table = tableByName.get(name);
    try {
      if (table === undefined) {
        return { type: 'other', name, attributes: anyTable.decode(source, ...data).unknown ?? [] };
      }
      return table.decode(source, ...data, { type: name }) as KnownNftExpression;
    } catch (error) {
      throw error instanceof DecodeError ? error.within(name) : error;
    }
  },
};

/** The expressions of a rule, in the order of their evaluation. */
export const expressionList = list(NFTA_LIST_ELEM, expression);
