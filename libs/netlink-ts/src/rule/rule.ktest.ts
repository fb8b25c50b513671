import { createTestNetns } from '@canal/testing';
import { type Ip, parseIp, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { isExists, isNotFound } from '../connection/netlink-error.ts';
import { AF } from '../rtnetlink/family.ts';
import { FR_ACT } from './constants.ts';
import type { RuleInput } from './message.ts';
import { delRule, listRules, newRule } from './requests.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));

test.each<{ name: string; rule: RuleInput; shown: object }>([
  {
    name: 'by source and mark',
    rule: { family: AF.INET, src: ip('10.0.0.0'), srcLen: 8, fwmark: 0x40, fwmask: 0xff, table: 1000, priority: 99 },
    shown: { priority: 99, src: '10.0.0.0', srclen: 8, fwmark: '0x40', fwmask: '0xff', table: '1000' },
  },
  {
    name: 'by destination and device, refused',
    rule: { family: AF.INET6, dst: ip('fd00::'), dstLen: 64, iifName: 'lo', action: FR_ACT.UNREACHABLE, priority: 7 },
    shown: { priority: 7, dst: 'fd00::', dstlen: 64, iif: 'lo', action: 'unreachable' },
  },
  {
    name: "by protocol and ports, with a program's number",
    rule: {
      family: AF.INET,
      ipProto: 6,
      dportRange: { start: 80, end: 90 },
      table: 7,
      priority: 8,
      protocol: 203,
      suppressPrefixLen: 0,
    },
    shown: {
      priority: 8,
      ipproto: 'tcp',
      dport_start: 80,
      dport_end: 90,
      table: '7',
      protocol: '203',
      suppress_prefixlen: 0,
    },
  },
])('a rule $name', ({ rule, shown }) => {
  using netns = createTestNetns('rule');
  const { netlink } = netns;
  const family = rule.family === AF.INET ? 4 : 6;
  netlink.execute(newRule(rule));
  expect(netns.json(['ip', '-j', '-d', `-${family}`, 'rule', 'show', 'pref', String(rule.priority)])).toMatchObject([
    shown,
  ]);
  expect(listRules(netlink, { family }).filter(({ priority }) => priority === rule.priority)).toMatchObject([rule]);
  expect(() => netlink.execute(newRule(rule))).toThrow(expect.toSatisfy(isExists));
  netlink.execute(delRule(rule));
  expect(() => netlink.execute(delRule(rule))).toThrow(expect.toSatisfy(isNotFound));
});

test('the rules of a new namespace, both families in one listing', () => {
  using netns = createTestNetns('rules');
  const rules = listRules(netns.netlink).map(({ family, priority = 0, table }) => [family, priority, table]);
  expect(rules.sort()).toEqual(
    [
      [AF.INET6, 0, 255],
      [AF.INET6, 32_766, 254],
      [AF.INET, 0, 255],
      [AF.INET, 32_766, 254],
      [AF.INET, 32_767, 253],
    ].sort(),
  );
});
