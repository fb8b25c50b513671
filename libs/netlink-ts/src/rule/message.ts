import { objectCodec, type InputOf, type ObjectOf } from '../wire/object-codec.ts';
import { ruleTable } from './attributes.ts';
import { ruleHeader } from './header.ts';

export const ruleCodec = objectCodec('rule', ruleHeader, ruleTable);

/** A policy routing rule as the kernel describes it. */
export type Rule = ObjectOf<typeof ruleCodec>;

/** A rule in a request. */
export type RuleInput = InputOf<typeof ruleCodec>;
