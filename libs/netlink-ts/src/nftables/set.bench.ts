/**
 * What elements of sets cost: encoding alone, one element added in a transaction of its own, 10,000 in one transaction
 * beside `nft -f` with the same, and reading them back.
 */
import { createTestNetns } from '@canal/testing';
import { formatIp, type Ipv4, type Ipv6, ipToBytes } from 'net-types';
import { createNetlinkConnection } from '../connection/connection.ts';
import type { NetlinkRequest } from '../connection/request.ts';
import { NFPROTO } from '../nfnetlink/header.ts';
import { WireWriter } from '../wire/wire-writer.ts';
import type { NftElement } from './element.ts';
import { NFT_VERDICT } from './expression/data.ts';
import { elementKey, portBytes, verdictData } from './key.ts';
import { changeNftables, newNftChain, newNftTable } from './requests.ts';
import { nftSet, type NftSetDefinition } from './set-definition.ts';
import { delNftElements, flushNftSet, listNftElements, newNftElements, newNftSet } from './set-requests.ts';

const NETLINK_NETFILTER = 12;
const COUNT = 10_000;
const ROUNDS = 9;
const INET = NFPROTO.INET;

/** Median over the rounds and the best of them, in milliseconds; one round to warm up. */
function milliseconds(work: () => void, after: () => void = () => undefined): readonly [median: number, best: number] {
  const rounds: number[] = [];
  for (let round = -1; round < ROUNDS; round++) {
    const start = Bun.nanoseconds();
    work();
    if (round >= 0) rounds.push((Bun.nanoseconds() - start) / 1e6);
    after();
  }
  rounds.sort((a, b) => a - b);
  return [rounds[Math.floor(ROUNDS / 2)] ?? 0, rounds[0] ?? 0];
}

function show(what: string, times: readonly [median: number, best: number], unit: string, scale = 1): void {
  const [median, best] = times.map((time) => (time * scale).toFixed(2).padStart(8));
  console.log(`${what.padEnd(60)} ${median} ${unit}, best ${best} ${unit}`);
}

interface Kind extends Pick<NftSetDefinition, 'key' | 'data'> {
  readonly name: string;
  readonly element: (index: number) => NftElement;
  readonly text: (index: number) => string;
}

const v4 = (index: number): Ipv4 => (0x0a00_0000 + index) as Ipv4;
const v6 = (index: number): Ipv6 => ((0xfdn << 120n) + BigInt(index)) as Ipv6;
const KINDS: readonly Kind[] = [
  {
    name: 'addresses4',
    key: 'ipv4_addr',
    element: (i) => ({ key: ipToBytes(v4(i)) }),
    text: (i) => formatIp(v4(i)),
  },
  {
    name: 'addresses6',
    key: 'ipv6_addr',
    element: (i) => ({ key: ipToBytes(v6(i)) }),
    text: (i) => formatIp(v6(i)),
  },
  {
    name: 'ports4',
    key: ['ipv4_addr', 'inet_proto', 'inet_service'],
    element: (i) => ({ key: elementKey(ipToBytes(v4(i)), Uint8Array.of(6), portBytes(80)) }),
    text: (i) => `${formatIp(v4(i))} . tcp . 80`,
  },
  {
    name: 'verdicts4',
    key: 'ipv4_addr',
    data: 'verdict',
    element: (i) => ({ key: ipToBytes(v4(i)), data: verdictData(NFT_VERDICT.JUMP, 'in-0123456789ab') }),
    text: (i) => `${formatIp(v4(i))} : jump in-0123456789ab`,
  },
];

using netns = createTestNetns('bench');
using connection = createNetlinkConnection(() =>
  netns.openSocket({ protocol: NETLINK_NETFILTER, sendBufferBytes: 4 * 1024 * 1024 }),
);
const sets = KINDS.map(({ name, key, data }) => nftSet({ family: INET, table: 't', name, key, data, size: 200_000 }));
changeNftables(connection, [
  newNftTable({ family: INET, name: 't' }),
  newNftChain({ family: INET, table: 't', name: 'in-0123456789ab' }),
  ...sets.map((set) => newNftSet(set)),
]);

const writer = new WireWriter();
const write = (requests: readonly NetlinkRequest[]): void => {
  writer.reset();
  for (const request of requests) request.writeBody(writer);
};

for (const kind of KINDS) {
  const set = { family: INET, table: 't', name: kind.name };
  const indices = Array.from({ length: COUNT }, (_, index) => index);
  const flush = (): void => {
    changeNftables(connection, [flushNftSet(set)]);
  };
  const add = (): void => {
    changeNftables(connection, newNftElements(set, indices.map(kind.element)));
  };
  show(
    `${kind.name}: make and encode 10,000 elements`,
    milliseconds(() => {
      write(newNftElements(set, indices.map(kind.element)));
    }),
    'ms',
  );
  show(`${kind.name}: add 10,000 in one transaction`, milliseconds(add, flush), 'ms');
  const text = `add element inet t ${kind.name} { ${indices.map(kind.text).join(', ')} }\n`;
  show(
    `${kind.name}: nft -f of the same`,
    milliseconds(() => void netns.run(['nft', '-f', '-'], { stdin: text }), flush),
    'ms',
  );
  add();
  show(
    `${kind.name}: list 10,000 elements`,
    milliseconds(() => void listNftElements(connection, set)),
    'ms',
  );
  const encodeOne = (): void => {
    for (let i = 0; i < COUNT; i++) write(newNftElements(set, [kind.element(COUNT + i)]));
  };
  show(`${kind.name}: make and encode one element`, milliseconds(encodeOne), 'µs', 1000 / COUNT);
  const oneByOne = (): void => {
    for (let i = 0; i < 1000; i++) changeNftables(connection, newNftElements(set, [kind.element(COUNT + i)]));
  };
  const undo = (): void => {
    changeNftables(
      connection,
      delNftElements(
        set,
        Array.from({ length: 1000 }, (_, i) => kind.element(COUNT + i)),
      ),
    );
  };
  show(`${kind.name}: one element, a transaction of its own`, milliseconds(oneByOne, undo), 'µs');
  flush();
}
