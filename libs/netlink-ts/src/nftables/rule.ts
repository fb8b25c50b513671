import { nfgenmsg } from '../nfnetlink/header.ts';
import { attribute, attributeTable, nested } from '../wire/attribute-table.ts';
import { type InputOf, objectCodec, type ObjectOf } from '../wire/object-codec.ts';
import { be32, be64, bytes, cstring } from '../wire/scalars.ts';
import { expressionList } from './expression/expression.ts';

const compatTable = attributeTable({
  protocol: attribute(1, be32),
  flags: attribute(2, be32),
});

export const ruleCodec = objectCodec(
  'nft rule',
  nfgenmsg,
  attributeTable({
    table: attribute(1, cstring),
    chain: attribute(2, cstring),
    handle: attribute(3, be64),
    expressions: attribute(4, expressionList),
    /** The protocol that x_tables extensions of the rule are checked against. */
    compat: attribute(5, nested(compatTable)),
    /** In requests: the rule to stand behind. In answers: the rule before. */
    position: attribute(6, be64),
    /** See user-data.ts. */
    userData: attribute(7, bytes),
    id: attribute(9, be32),
    positionId: attribute(10, be32),
    chainId: attribute(11, be32),
  }),
);

export type NftRule = ObjectOf<typeof ruleCodec>;
export type NftRuleInput = InputOf<typeof ruleCodec>;
