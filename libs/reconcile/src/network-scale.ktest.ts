/** Ten thousand peers in a real kernel: what a pass costs, how long it holds the kernel. Figures are printed. */
import type { NetworkOperation, Peer } from '@canal/model';
import { compileNetwork, type CompileInput } from '@canal/network-compile';
import { createLinuxKernel } from '@canal/kernel-linux';
import { createTestNetns, type TestNetns } from '@canal/testing';
import {
  type Ip,
  type Ipv4,
  type Ipv6,
  cidrOf,
  macFromBytes,
  parseCidr,
  parseCidr4,
  parseCidr6,
  parseInterfaceName,
  parseIp,
  unwrap,
} from 'net-types';
import { describe, expect, test } from 'vitest';
import { turnNetwork } from './network-turn.ts';
import { confOf } from './testing/test-agent.ts';

const NETWORK = unwrap(parseCidr4('10.0.0.0/8'));
const NETWORK6 = unwrap(parseCidr6('fd00:10::/32'));
const ETH0 = unwrap(parseInterfaceName('eth0'));
const UNDERLAY = Number(unwrap(parseIp('172.16.0.0')));
const UNDERLAY6 = BigInt(unwrap(parseIp('2001:db8::')));

function peerOf(number: number): Peer {
  const mac = macFromBytes(Uint8Array.of(2, 0, 0, number >> 16, number >> 8, number));
  if (mac === undefined) throw new Error('six bytes');
  const vtep = { vni: vni(), mac };
  return {
    name: `node-${number}`,
    backendType: 'vxlan',
    endpoints: [
      {
        family: 4,
        publicIp: (UNDERLAY + number + 10) as Ipv4,
        subnet: cidrOf((NETWORK.ip + (number + 1) * 256) as Ipv4, 24),
        vtep,
      },
      {
        family: 6,
        publicIp: (UNDERLAY6 + BigInt(number + 10)) as Ipv6,
        subnet: cidrOf((NETWORK6.ip + (BigInt(number + 1) << 64n)) as Ipv6, 64),
        vtep,
      },
    ],
  };
}

function vni() {
  const { backend } = confOf('vxlan');
  if (backend.type !== 'vxlan') throw new Error('vxlan');
  return backend.vni;
}

function inputOf(peers: readonly Peer[], families: readonly (4 | 6)[], nexthopObjects: boolean): CompileInput {
  const source: Record<4 | 6, Ip> = { 4: unwrap(parseIp('172.16.0.1')), 6: unwrap(parseIp('2001:db8::1')) };
  return {
    node: {
      name: 'self',
      families: families.map((family) => ({
        family,
        link: ETH0,
        linkMtuBytes: 1500,
        source: source[family],
        onLinkNetworks: [],
        publicIp: source[family],
        subnet: unwrap(parseCidr(family === 4 ? '10.0.0.0/24' : 'fd00:10::/64')),
      })),
      ownAddresses: Object.values(source),
    },
    conf: { ...confOf('vxlan'), network: NETWORK, ipv6Network: NETWORK6 },
    peers,
    paths: new Map(),
    kernel: { nexthopObjects, ipv6: true },
  };
}

function createMachine(): TestNetns {
  const netns = createTestNetns('scale');
  netns.run(['ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'wire']);
  for (const link of ['eth0', 'wire']) netns.run(['ip', 'link', 'set', link, 'up']);
  netns.run(['ip', 'addr', 'add', '172.16.0.1/16', 'dev', 'eth0']);
  netns.run(['ip', 'addr', 'add', '2001:db8::1/64', 'dev', 'eth0', 'nodad']);
  return netns;
}

interface Cost {
  readonly compileMs: number;
  readonly turnMs: number;
  readonly applyMs: number;
  /** Processor time in the kernel meanwhile: what others on the machine do does not count. */
  readonly kernelMs: number;
  readonly operations: number;
}

async function measure(
  kernel: ReturnType<typeof createLinuxKernel>,
  input: CompileInput,
): Promise<Cost & { readonly performed: readonly NetworkOperation[] }> {
  let applyMs = 0;
  let kernelMs = 0;
  const timed = Object.assign(Object.create(kernel) as typeof kernel, {
    readSnapshot: kernel.readSnapshot.bind(kernel),
    apply: async (operations: readonly NetworkOperation[]) => {
      const began = performance.now();
      const usage = process.cpuUsage();
      const results = await kernel.apply(operations);
      applyMs += performance.now() - began;
      kernelMs += process.cpuUsage(usage).system / 1000;
      return results;
    },
  });
  const began = performance.now();
  const { state, problems } = compileNetwork(input);
  const compiled = performance.now();
  const report = await turnNetwork(timed, () => state, { inSync: true });
  const ended = performance.now();
  expect(problems).toEqual([]);
  expect(report.failures.map(({ text }) => text)).toEqual([]);
  return {
    compileMs: compiled - began,
    turnMs: ended - compiled,
    applyMs,
    kernelMs,
    operations: report.performed.length,
    performed: report.performed,
  };
}

function print(title: string, { compileMs, turnMs, applyMs, kernelMs, operations }: Cost): void {
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  process.stderr.write(
    `${title}: ${operations} operations, kernel ${ms(kernelMs)}, apply ${ms(applyMs)}, whole pass ${ms(turnMs)}, compile ${ms(compileMs)}\n`,
  );
}

describe.each([
  { title: 'IPv4, nexthop objects', families: [4] as const, nexthopObjects: true },
  { title: 'IPv4, classic routes', families: [4] as const, nexthopObjects: false },
  { title: 'IPv6', families: [6] as const, nexthopObjects: true },
])('$title', ({ title, families, nexthopObjects }) => {
  test.each([1_000, 5_000, 10_000])('%i peers', async (count) => {
    using netns = createMachine();
    const kernel = createLinuxKernel({ netns: netns.path });
    const peers = Array.from({ length: count }, (_, number) => peerOf(number));
    const all = await measure(kernel, inputOf(peers, families, nexthopObjects));
    print(`${title}, ${count} peers from nothing`, all);
    const again = await measure(kernel, inputOf(peers, families, nexthopObjects));
    print(`${title}, ${count} peers unchanged`, again);
    expect(again.operations).toBe(0);
    const more = await measure(kernel, inputOf([...peers, peerOf(count)], families, nexthopObjects));
    print(`${title}, one more peer`, more);
    expect(more.operations).toBe(families[0] === 4 && nexthopObjects ? 4 : 3);
    const none = await measure(kernel, inputOf([], families, nexthopObjects));
    print(`${title}, all gone`, none);
    kernel.close();
  });
});
