import { parseIp, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { capturedMessages } from '../testing/captured.ts';
import { WireSource } from '../wire/wire-source.ts';
import { WireWriter } from '../wire/wire-writer.ts';
import { FR_ACT } from './constants.ts';
import { type Rule, ruleCodec, type RuleInput } from './message.ts';
import { newRule } from './requests.ts';

const decodeAll = (hex: string): Rule[] =>
  capturedMessages(hex).map(({ source, payloadStart, payloadEnd }) =>
    ruleCodec.decode(source, payloadStart, payloadEnd),
  );
const ip = (text: string) => unwrap(parseIp(text));

function written(input: RuleInput): Rule {
  const writer = new WireWriter();
  newRule(input).writeBody(writer);
  return ruleCodec.decode(new WireSource(writer.written), 0, writer.length);
}

// `strace -e write=3 COMMAND`, iproute2 6.1.
test.each<{ command: string; hex: string; input: RuleInput }>([
  {
    command: 'ip rule add from 10.244.0.0/16 fwmark 0x40/0xff lookup 1000 pref 99',
    hex: `44000000 20000506 4d5f016b 00000000 02001000 00000001 00000000 08000200 0af40000 08000a00 40000000
          08001000 ff000000 08000f00 e8030000 08000600 63000000`,
    input: { family: 2, src: ip('10.244.0.0'), srcLen: 16, fwmark: 0x40, fwmask: 0xff, table: 1000, priority: 99 },
  },
  {
    command: 'ip -6 rule add to fd01::/64 iif v0 ipproto tcp dport 80-90 goto 40000',
    hex: `50000000 20000506 4d5f016b 00000000 0a400000 00000002 00000000 14000100 fd010000000000000000000000000000
          07000300 76300000 05001600 06000000 08001800 50005a00 08000400 409c0000`,
    input: {
      family: 10,
      dst: ip('fd01::'),
      dstLen: 64,
      iifName: 'v0',
      ipProto: 6,
      dportRange: { start: 80, end: 90 },
      action: FR_ACT.GOTO,
      goto: 40_000,
    },
  },
])('newRule says what iproute2 says: $command', ({ hex, input }) => {
  expect(decodeAll(hex)).toEqual([written(input)]);
});

// Linux 6.18, `strace -e read=3 ip rule`.
test('the answer of the kernel to a listing', () => {
  expect(
    decodeAll(`
      34000000 20000200 645f016b b3180000 02000000 ff000001 00000000 08000f00 ff000000 08000e00 ffffffff 05001500 02000000
      54000000 20000200 645f016b b3180000 02001000 fc000001 00000000 08000f00 e8030000 08000e00 ffffffff 05001500 00000000
      08000600 63000000 08000a00 40000000 08001000 ff000000 08000200 0af40000`),
  ).toEqual([
    {
      family: 2,
      dstLen: 0,
      srcLen: 0,
      tos: 0,
      headerTable: 255,
      action: FR_ACT.TO_TBL,
      flags: 0,
      table: 255,
      suppressPrefixLen: 0xffff_ffff,
      protocol: 2,
    },
    {
      family: 2,
      dstLen: 0,
      srcLen: 16,
      tos: 0,
      headerTable: 252,
      action: FR_ACT.TO_TBL,
      flags: 0,
      table: 1000,
      suppressPrefixLen: 0xffff_ffff,
      protocol: 0,
      priority: 99,
      fwmark: 0x40,
      fwmask: 0xff,
      src: ip('10.244.0.0'),
    },
  ]);
});
