/**
 * SIGKILL at random moments, from the program's first instruction to the middle of its writes, while new flows that are
 * allowed and new flows that are denied are tried all the time. CANAL_KILLS says how often (default 30).
 */
import { openUdpSocket, type UdpSocket, udpTarget } from '@canal/linux-ffi';
import { NETWORK_POLICIES, PODS, type Store } from '@canal/store-port';
import { waitFor } from '@canal/testing';
import { parseIp, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { type AgentNode, createAgentNode, type Pod } from './testing/agent-node.ts';
import { ingressPolicy } from './testing/test-cluster.ts';

const KILLS = Number(process.env['CANAL_KILLS'] ?? 30);
const PORT = 9_999;
const PROBE_INTERVAL_MS = 10;
/** From its start to its first writes the program takes about as long; afterwards it follows the changes. */
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

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#server[Symbol.dispose]();
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

async function prepare(node: AgentNode): Promise<readonly [Pod, Pod]> {
  const [stranger, other] = [await node.createPod(3, 'stranger', {}), await node.createPod(4, 'other', {})];
  await node.store.mergePatch(PODS, 'client', { metadata: { labels: { may: 'web' } } }, { namespace: 'default' });
  await node.store.create(NETWORK_POLICIES, ingressPolicy('web'));
  await node.start();
  for (const pod of [node.web, node.client, stranger, other]) {
    expect(await node.add(pod)).toEqual({ ok: true, value: { state: 'policed' } });
  }
  return [stranger, other];
}

test(
  `killed ${KILLS} times: no denied flow passes, no allowed one is lost`,
  async () => {
    await using node = await createAgentNode();
    const [stranger, other] = await prepare(node);
    const probes = new Probes(node.web, node.client, stranger);
    await waitFor('probes', () => probes.allowed.received > 20);
    const stop = new AbortController();
    const churning = churn(node.store, other, stop.signal);
    for (let count = 0; count < KILLS; count++) {
      await node.kill();
      node.spawn();
      await Bun.sleep(Math.random() * LONGEST_LIFE_MS);
    }
    await node.kill();
    stop.abort();
    await churning;
    await probes.settle();
    probes[Symbol.dispose]();
    const { allowed, denied } = probes;
    process.stderr.write(`${KILLS} kills: allowed ${JSON.stringify(allowed)}, denied ${JSON.stringify(denied)}\n`);
    expect(denied.sent).toBeGreaterThan(KILLS);
    expect(denied.received).toBe(0);
    expect(allowed.received).toBe(allowed.sent);

    // The same count without the rules.
    using unprotected = new Probes(node.web, node.client, stranger);
    node.netns.run(['nft', 'flush', 'ruleset']);
    await waitFor('a denied probe to pass', () => unprotected.denied.received > 0);
  },
  60_000 + KILLS * 3 * LONGEST_LIFE_MS,
);
