/**
 * SIGKILL at random moments, from the program's first instruction to the middle of its writes, while new flows that are
 * allowed and new flows that are denied are tried all the time: half of the kills while policies and pods change, half
 * while nothing does, and then nothing is written. CANAL_KILLS says how often (default 200).
 */
import { openUdpSocket, type UdpSocket, udpTarget } from '@canal/linux-ffi';
import { NETWORK_POLICIES, PODS, type Store } from '@canal/store-port';
import { waitFor } from '@canal/testing';
import { parseIp, unwrap } from 'net-types';
import { RTNLGRP } from 'netlink-ts';
import { expect, test } from 'vitest';
import { type AgentNode, createAgentNode, type Pod } from './testing/agent-node.ts';
import { ingressPolicy } from './testing/test-cluster.ts';

const KILLS = Number(process.env['CANAL_KILLS'] ?? 200);
const HALF = Math.ceil(KILLS / 2);
const PORT = 9_999;
const PROBE_INTERVAL_MS = 10;
/** From its start to its first writes the program takes about as long on an idle machine; afterwards it follows the changes. */
const LONGEST_LIFE_MS = 1_500;

interface Tally {
  sent: number;
  received: number;
}

/** Sends from a new port each time: established flows are not judged. */
class Probes implements Disposable {
  readonly allowed: Tally = { sent: 0, received: 0 };
  readonly denied: Tally = { sent: 0, received: 0 };
  readonly #server: UdpSocket;
  readonly #timer: NodeJS.Timeout;
  readonly #buffer = new Uint8Array(16);
  #closed = false;

  constructor(web: Pod, friend: Pod, stranger: Pod) {
    const ip = unwrap(parseIp(web.address));
    this.#server = openUdpSocket({ ip, port: PORT, netns: web.netns.path });
    const target = udpTarget(ip, PORT);
    const send = (from: Pod, tally: Tally, mark: number): void => {
      using socket = openUdpSocket({ ip: unwrap(parseIp(from.address)), port: 0, netns: from.netns.path });
      if (socket.send(new Uint8Array([mark]), target) === undefined) tally.sent++;
    };
    this.#timer = setInterval(() => {
      this.#receive();
      send(friend, this.allowed, 1);
      send(stranger, this.denied, 2);
    }, PROBE_INTERVAL_MS);
  }

  /** The last ones have arrived. */
  async settle(): Promise<void> {
    clearInterval(this.#timer);
    await Bun.sleep(100);
    this.#receive();
  }

  /** Once or more often. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    if (!this.#closed) this.#server[Symbol.dispose]();
    this.#closed = true;
  }

  #receive(): void {
    while (this.#server.receive(this.#buffer) !== undefined) {
      (this.#buffer[0] === 1 ? this.allowed : this.denied).received++;
    }
  }
}

/** Changes that make the agent write: another policy comes and goes, pods change their labels. */
async function churn(store: Store, other: Pod, signal: AbortSignal): Promise<void> {
  for (let round = 0; !signal.aborted; round++) {
    await store.create(NETWORK_POLICIES, ingressPolicy(`churn-${round}`));
    const labels = { app: `churn-${round}`, may: round % 2 === 0 ? 'other' : 'nobody' };
    await store.mergePatch(PODS, other.name, { metadata: { labels } }, { namespace: 'default' });
    await Bun.sleep(20);
    await store.delete(NETWORK_POLICIES, `churn-${round}`, 'default');
  }
}

/** Two pods more, and how long the agent may live at most: on a busy machine it comes to its first writes later. */
async function prepare(node: AgentNode): Promise<readonly [Pod, Pod, number]> {
  const [stranger, other] = [await node.createPod(3, 'stranger', {}), await node.createPod(4, 'other', {})];
  await node.store.mergePatch(PODS, 'client', { metadata: { labels: { may: 'web' } } }, { namespace: 'default' });
  await node.store.create(NETWORK_POLICIES, ingressPolicy('web'));
  const startMs = performance.now();
  await node.start();
  const longestMs = Math.max(LONGEST_LIFE_MS, 2 * (performance.now() - startMs));
  for (const pod of [node.web, node.client, stranger, other]) {
    expect(await node.add(pod)).toEqual({ ok: true, value: { state: 'policed' } });
  }
  return [stranger, other, longestMs];
}

async function killOften(node: AgentNode, longestMs: number): Promise<void> {
  for (let count = 0; count < HALF; count++) {
    await node.kill();
    node.spawn();
    await Bun.sleep(Math.random() * longestMs);
  }
  await node.kill();
}

async function expectNoneWrong(probes: Probes): Promise<void> {
  await probes.settle();
  probes[Symbol.dispose]();
  const { allowed, denied } = probes;
  process.stderr.write(`${HALF} kills: allowed ${JSON.stringify(allowed)}, denied ${JSON.stringify(denied)}\n`);
  expect(denied.sent).toBeGreaterThan(HALF);
  expect(denied.received).toBe(0);
  expect(allowed.received).toBe(allowed.sent);
}

/** Links, addresses, routes and rules that came, changed or went. */
const WRITTEN = [
  RTNLGRP.LINK,
  RTNLGRP.IPV4_IFADDR,
  RTNLGRP.IPV6_IFADDR,
  RTNLGRP.IPV4_ROUTE,
  RTNLGRP.IPV6_ROUTE,
  RTNLGRP.IPV4_RULE,
  RTNLGRP.IPV6_RULE,
];

// Each on a node of its own, both at once: what they wait for is mostly time.
test.concurrent(
  `killed ${HALF} times while all changes: no denied flow passes, no allowed one is lost`,
  async () => {
    await using node = await createAgentNode();
    const [stranger, other, longestMs] = await prepare(node);
    using probes = new Probes(node.web, node.client, stranger);
    await waitFor('probes', () => probes.allowed.received > 20);
    const generation = node.generation();
    const stop = new AbortController();
    const churning = churn(node.store, other, stop.signal);
    await killOften(node, longestMs);
    stop.abort();
    await churning;
    await expectNoneWrong(probes);
    expect(node.generation() - generation).toBeGreaterThan(HALF / 10);

    // The same count without the rules.
    using unprotected = new Probes(node.web, node.client, stranger);
    node.netns.run(['nft', 'flush', 'ruleset']);
    await waitFor('a denied probe to pass', () => unprotected.denied.received > 0);
  },
  60_000 + HALF * 6 * LONGEST_LIFE_MS,
);

test.concurrent(
  `killed ${HALF} times while nothing changes: the same generation of rules, a silent monitor of routes`,
  async () => {
    await using node = await createAgentNode();
    const [stranger, , longestMs] = await prepare(node);
    using probes = new Probes(node.web, node.client, stranger);
    await waitFor('probes', () => probes.allowed.received > 20);
    // The kernel itself tells of link-local addresses when nobody else has them.
    await waitFor('addresses', () => node.netns.run(['ip', '-6', 'address', 'show', 'tentative']) === '');
    const stop = new AbortController();
    const events: unknown[] = [];
    const monitor = node.netns.monitor(WRITTEN, stop.signal);
    const listening = (async () => {
      for await (const event of monitor) events.push(event);
    })();
    const generation = node.generation();
    await killOften(node, longestMs);
    await node.start();
    expect(node.generation()).toBe(generation);
    expect(events).toEqual([]);
    await expectNoneWrong(probes);

    // Both do tell of what is written.
    node.netns.run(['ip', 'route', 'add', '198.51.100.0/24', 'dev', 'lo']);
    await waitFor('an event', () => events.length > 0);
    await node.store.create(NETWORK_POLICIES, ingressPolicy('client'));
    await node.store.mergePatch(PODS, 'client', { metadata: { labels: { app: 'client' } } }, { namespace: 'default' });
    await waitFor('a write', () => node.generation() > generation);
    stop.abort();
    await listening;

    // An allowed flow that is lost would be counted, too.
    using hindered = new Probes(node.web, node.client, stranger);
    const closed =
      'add table inet other; add chain inet other shut { type filter hook forward priority 0; policy drop; }';
    node.netns.run(['nft', closed]);
    await waitFor('lost probes', () => hindered.allowed.sent > hindered.allowed.received + 20);
  },
  60_000 + HALF * 6 * LONGEST_LIFE_MS,
);
