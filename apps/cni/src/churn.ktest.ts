/**
 * Many ADDs and DELs, one after the other and twenty at a time, with a third of the plugin processes killed at random:
 * after the runtime's own reconciliation (DEL, then GC) no link, route, address or record is left, and at no time do two
 * live pods have one address.
 */
import { spawn } from 'node:child_process';
import { withNetns } from '@canal/linux-ffi';
import { describe, expect, test } from 'vitest';
import { canalBinary, CniNode, globalAddresses, IPV4, IPV6, ipJson, type Pod } from './testing/cni-node.ts';

const SUBNET = [...IPV4, ...IPV6];

/** Hundreds of processes one after the other: half a minute where nothing else runs. */
const LIMIT_MS = 240_000;

/** A sequence that looks random and is the same in each run. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** One call; killed after that many milliseconds if it has not ended by then. Gives the exit code, null when killed. */
function callOnce(node: CniNode, command: string, pod: Pod, killAfterMs?: number): Promise<number | null> {
  const env = {
    PATH: process.env['PATH'] ?? '',
    CNI_COMMAND: command,
    CNI_CONTAINERID: pod.containerId,
    CNI_IFNAME: pod.containerInterface,
    CNI_NETNS: pod.netns,
    CNI_PATH: '/opt/cni/bin',
  };
  const child = withNetns(node.netns, () => spawn(canalBinary(), [], { env, stdio: ['pipe', 'ignore', 'ignore'] }));
  child.stdin.on('error', () => undefined).end(config(node));
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  return new Promise((resolve) => {
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve(code);
    });
  });
}

function config(node: CniNode, keys: object = {}): string {
  return JSON.stringify({ ...node.plugin(), cniVersion: '1.1.0', name: 'canal', ...keys });
}

/**
 * The verb for all pods at once, three of ten killed at a random moment of the time that the last batch took, so that
 * the kills fall into all of a call's life on a fast machine and on a slow one.
 */
class Batches {
  #spanMs = 150;
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = createRandom(seed);
  }

  random(): number {
    return this.#random();
  }

  async run(node: CniNode, command: string, pods: readonly Pod[]): Promise<(number | null)[]> {
    const started = performance.now();
    const killAfterMs = (): number | undefined => (this.#random() < 0.3 ? this.#random() * this.#spanMs : undefined);
    const codes = await Promise.all(pods.map((pod) => callOnce(node, command, pod, killAfterMs())));
    this.#spanMs = performance.now() - started;
    return codes;
  }
}

/** Every pod's addresses by the kernel; fails when one occurs twice. */
function expectNoDuplicates(pods: readonly Pod[]): void {
  const all = pods.flatMap((pod) => (hasInterface(pod) ? globalAddresses(pod) : []));
  expect(new Set(all).size).toBe(all.length);
}

function hasInterface(pod: Pod): boolean {
  return ipJson(pod.run('ip', '-j', 'link')).some(({ ifname }) => ifname === 'eth0');
}

test.each(['routed', 'bridge'] as const)(
  '200 pods come and go one by one in %s mode: nothing is left',
  async (mode) => {
    using node = new CniNode({ mode, subnet: SUBNET });
    const pod = node.pod('pod');
    const given = new Set<string>();
    for (let round = 0; round < 200; round++) {
      expect(await callOnce(node, 'ADD', pod)).toBe(0);
      for (const address of globalAddresses(pod)) given.add(address);
      expect(await callOnce(node, 'DEL', pod)).toBe(0);
      // The addresses went round: none came back before its turn.
      expect(given.size).toBe(2 * (round + 1));
    }
    expect(node.traces()).toEqual([]);
  },
  LIMIT_MS,
);

describe.each(['routed', 'bridge'] as const)('in %s mode, 20 at a time, 10 rounds, 30 % killed', (mode) => {
  test(
    'DEL after each ADD, tried again until it succeeds: nothing is left',
    async () => {
      using node = new CniNode({ mode, subnet: SUBNET });
      const batches = new Batches(11);
      const outcomes = { added: 0, killed: 0, killedDel: 0 };
      for (let round = 0; round < 10; round++) {
        const pods = Array.from({ length: 20 }, (_unused, index) => node.pod(`r${round}p${index}`));
        const codes = await batches.run(node, 'ADD', pods);
        outcomes.added += codes.filter((code) => code === 0).length;
        outcomes.killed += codes.filter((code) => code === null).length;
        expect(codes.filter((code) => code !== 0 && code !== null)).toEqual([]);
        expectNoDuplicates(pods);
        const deleted = await batches.run(node, 'DEL', pods);
        outcomes.killedDel += deleted.filter((code) => code === null).length;
        // kubelet tries again until DEL succeeds.
        const again = pods.filter((_pod, index) => deleted[index] !== 0);
        expect(await Promise.all(again.map((pod) => callOnce(node, 'DEL', pod)))).toEqual(again.map(() => 0));
        expect(node.traces(), `round ${round}`).toEqual([]);
        for (const pod of pods) pod.remove();
      }
      // Otherwise the test shows nothing.
      expect(outcomes.added).toBeGreaterThan(100);
      expect(outcomes.killed).toBeGreaterThan(20);
      expect(outcomes.killedDel).toBeGreaterThan(10);
    },
    LIMIT_MS,
  );

  test(
    'no DEL at all, only GC with what lives: the living keep all, nothing else is left',
    async () => {
      using node = new CniNode({ mode, subnet: SUBNET });
      const batches = new Batches(23);
      const living: Pod[] = [];
      for (let round = 0; round < 5; round++) {
        const pods = Array.from({ length: 20 }, (_unused, index) => node.pod(`g${round}p${index}`));
        const codes = await batches.run(node, 'ADD', pods);
        const survivors = pods.filter((_pod, index) => codes[index] === 0 && batches.random() < 0.2);
        living.push(...survivors);
        expectNoDuplicates([...living, ...pods.filter((pod) => !survivors.includes(pod))]);
        const valid = living.map((pod) => ({ containerID: pod.containerId, ifname: pod.containerInterface }));
        await node.call('GC', JSON.parse(config(node, { 'cni.dev/valid-attachments': valid })) as object);
        expect(node.files()).toEqual(
          living
            .flatMap((pod) => [
              `record ${pod.containerId}:eth0.json`,
              ...globalAddresses(pod).map((address) => `address ${address.replace(/\/.*/, '')}`),
            ])
            .sort(),
        );
        expect(node.traces().filter((trace) => trace.startsWith('link'))).toHaveLength(living.length);
        for (const pod of pods) if (!survivors.includes(pod)) pod.remove();
      }
      expect(living.length).toBeGreaterThan(3);
      for (const pod of living) {
        for (const address of globalAddresses(pod)) node.run('ping', '-c', '1', '-W', '2', address.replace(/\/.*/, ''));
      }
    },
    LIMIT_MS,
  );
});
