import type { IpFamily } from 'net-types';
import type { NetlinkConnection } from '../connection/connection.ts';
import type { NetlinkRequest } from '../connection/request.ts';
import { AF, familyNumber } from '../rtnetlink/family.ts';
import { RTM } from '../rtnetlink/message-types.ts';
import { objectQuery, objectRequest } from '../rtnetlink/object-request.ts';
import { NLM_F } from '../wire/message.ts';
import { FR_ACT } from './constants.ts';
import { type Rule, ruleCodec, type RuleInput } from './message.ts';

/** Adds a rule; fails with EEXIST if the same one is there. Action "use a table" by default. */
export function newRule(rule: RuleInput, flags: number = NLM_F.CREATE | NLM_F.EXCL): NetlinkRequest {
  return objectRequest('new rule', RTM.NEWRULE, flags, ruleCodec, {
    ...withTable(rule),
    action: rule.action ?? FR_ACT.TO_TBL,
  });
}

/** Removes the first rule that has all of the given properties. */
export function delRule(rule: RuleInput): NetlinkRequest {
  return objectRequest('delete rule', RTM.DELRULE, 0, ruleCodec, withTable(rule));
}

/** IPv4 and IPv6 rules, or those of one family. */
export function listRules(connection: NetlinkConnection, filter: { readonly family?: IpFamily } = {}): Rule[] {
  const request = { family: familyNumber(filter.family) };
  const rules = connection.dump(objectQuery('list rules', RTM.GETRULE, RTM.NEWRULE, ruleCodec, request));
  // A listing of all families has the rules of multicast forwarding in it.
  return rules.filter(({ family }) => family === AF.INET || family === AF.INET6);
}

function withTable(rule: RuleInput): RuleInput {
  if (rule.table === undefined) return rule;
  return { ...rule, headerTable: rule.table < 256 ? rule.table : 0 };
}
