/** A rule in a form in which equal rules are equal text: of what is wanted as of what the kernel tells. */
import { type NftExpression, nftRuleCodec, WireWriter } from 'netlink-ts';

/**
 * Left out: what counters counted, defaults that the kernel fills in or leaves out, and attributes that only a newer
 * kernel knows and adds to its answers.
 */
export function ruleText(expressions: readonly NftExpression[]): string {
  writer.reset();
  nftRuleCodec.encode(writer, { expressions: expressions.map(canonical) });
  return writer.written.toHex();
}

const writer = new WireWriter(1024);

function canonical(expression: NftExpression): NftExpression {
  if (expression.type === 'other') return expression;
  const { unknown: _, ...known } = expression;
  switch (known.type) {
    case 'counter':
      return { type: 'counter' };
    case 'bitwise': {
      const { op, ...rest } = known;
      return op === undefined || op === 0 ? rest : known;
    }
    case 'lookup': {
      const { flags = 0, setId: _id, ...rest } = known;
      return flags === 0 ? rest : { ...rest, flags };
    }
    case 'log': {
      const { snapLength = 0, queueThreshold = 0, ...rest } = known;
      return { ...rest, snapLength, queueThreshold };
    }
    default:
      return known;
  }
}
