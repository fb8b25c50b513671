/** Rules in a form in which equal rules are equal text: what a program wants beside what the kernel tells. */
import { WireWriter } from '../wire/wire-writer.ts';
import type { NftExpression } from './expression/expression.ts';
import { ruleCodec, type NftRuleInput } from './rule.ts';

/** What a rule says, without its place. */
export type NftRuleContent = Pick<NftRuleInput, 'expressions' | 'compat' | 'userData'>;

const writer = new WireWriter(1024);

/** Each byte is a character of its own: equal texts are equal bytes. */
const BYTES = new TextDecoder('latin1');

/**
 * Left out: what counters counted, defaults that the kernel fills in or leaves out, and attributes that only a newer
 * kernel knows and adds to its answers.
 */
export function nftRuleText({ expressions, compat, userData }: NftRuleContent): string {
  writer.reset();
  ruleCodec.encode(writer, {
    ...(expressions !== undefined && { expressions: expressions.map(canonical) }),
    ...(compat !== undefined && { compat }),
    ...(userData !== undefined && { userData }),
  });
  return BYTES.decode(writer.written);
}

function canonical(expression: NftExpression): NftExpression {
  if (expression.type === 'other') return expression;
  const { unknown: _, ...known } = expression;
  switch (known.type) {
    case 'counter':
      return { type: 'counter' };
    case 'bitwise': {
      const { op = 0, ...rest } = known;
      return op === 0 ? rest : { ...rest, op };
    }
    case 'lookup': {
      const { flags = 0, setId: _id, ...rest } = known;
      return flags === 0 ? rest : { ...rest, flags };
    }
    case 'log': {
      const { snapLength = 0, queueThreshold = 0, ...rest } = known;
      return { ...rest, snapLength, queueThreshold };
    }
    case 'masq': {
      const { flags = 0, ...rest } = known;
      return flags === 0 ? rest : { ...rest, flags };
    }
    case 'payload': {
      const { checksumType = 0, checksumOffset = 0, checksumFlags = 0, ...rest } = known;
      // Of what is loaded there is none.
      return rest.sreg === undefined ? rest : { ...rest, checksumType, checksumOffset, checksumFlags };
    }
    default:
      return known;
  }
}
