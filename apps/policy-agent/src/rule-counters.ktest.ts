/** The real program on a real kernel: what rules of policies have counted, told by the agent and by nft. */
import type { RuleCountMessage } from '@canal/agent-protocol';
import { NETWORK_POLICIES } from '@canal/store-port';
import { type TestNetns, waitFor } from '@canal/testing';
import { expect, test } from 'vitest';
import { createAgentNode, type Pod, WEB_PORT } from './testing/agent-node.ts';

const UDP_PORT = 9;

type Peer = Readonly<Record<string, unknown>>;

const podsWith = (label: string): Peer => ({ podSelector: { matchLabels: { app: label } } });
const block = (cidr: string): Peer => ({ ipBlock: { cidr } });

const PORTS = [
  { protocol: 'TCP', port: WEB_PORT },
  { protocol: 'UDP', port: UDP_PORT },
];

/** Of the pods of that label: who may come in, rule by rule. */
function policy(name: string, app: string, ...peers: readonly Peer[]) {
  const ingress = peers.map((peer) => ({ from: [peer], ports: PORTS }));
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace: 'default', name },
    spec: { podSelector: { matchLabels: { app } }, policyTypes: ['Ingress'], ingress },
  } as const;
}

/** Each from a port of its own, and none is answered. */
function send(from: Pod, to: Pod, count: number): void {
  const each = `for i in $(seq ${count}); do echo hello > /dev/udp/${to.address}/${UDP_PORT}; done`;
  from.netns.run(['bash', '-c', `{ ${each}; } 2>/dev/null || true`]);
}

/** The web server is this process: it must be left to answer. */
async function get(from: Pod, to: Pod): Promise<string> {
  const command = ['curl', '-s', '-m', '20', `http://${to.address}:${WEB_PORT}/`];
  const curl = from.netns.within(() => Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'ignore' }));
  return await new Response(curl.stdout).text();
}

/** SYNs that this host has sent again, because nobody answered in time. */
function repeatedSyns(netns: TestNetns): number {
  const [names = [], values = []] = netns
    .run(['cat', '/proc/net/netstat'])
    .split('\n')
    .filter((line) => line.startsWith('TcpExt:'))
    .map((line) => line.split(' '));
  return Number(values[names.indexOf('TCPSynRetrans')]);
}

interface NftJson {
  readonly nftables: readonly { readonly counter?: { readonly name: string; readonly packets: number } }[];
}

test('each rule counts the new flows that it allows; policies change and the agent starts again, and counts go on', async () => {
  await using world = await createAgentNode();
  const [friend, other] = [
    await world.createPod(3, 'friend', { app: 'friend' }),
    await world.createPod(4, 'other', { app: 'other' }),
  ];
  const { web, client } = world;
  const counts = async (): Promise<readonly RuleCountMessage[]> => {
    const answer = await world.ask({ op: 'counters' });
    if (!answer.ok) throw new Error(answer.message);
    return answer.value as readonly RuleCountMessage[];
  };
  /** `default/p 0: 3`, without rules that counted nothing. */
  const hits = async (): Promise<readonly string[]> =>
    (await counts()).flatMap(({ policy: name, direction, rule = 'denied', packets, sharedPackets }) =>
      packets === 0
        ? []
        : [`${name} ${direction} ${rule}: ${packets}${sharedPackets > 0 ? `, ${sharedPackets} shared` : ''}`],
    );
  const listedByNft = (): ReadonlyMap<string, number> => {
    const { nftables } = world.netns.json([
      'nft',
      '-j',
      'list',
      'counters',
      'table',
      'inet',
      'canal-policy',
    ]) as NftJson;
    return new Map(nftables.flatMap(({ counter }) => (counter === undefined ? [] : [[counter.name, counter.packets]])));
  };
  const expectHits = async (...wanted: readonly string[]): Promise<void> => {
    expect(await hits()).toEqual(wanted);
    const packets = (await counts()).map((count) => count.packets);
    expect([...listedByNft().values()].sort()).toEqual([...packets].sort());
  };
  /** The agent has written rules for as many counters. */
  const waitForCounters = async (count: number): Promise<void> => {
    await waitFor(`${count} counters`, async () => (await counts()).length === count);
  };

  await world.start();
  for (const pod of [web, client, friend, other]) await world.add(pod);
  send(friend, web, 3);
  expect([await counts(), listedByNft().size]).toEqual([[], 0]);

  await world.store.create(
    NETWORK_POLICIES,
    policy('p', 'web', podsWith('nobody'), podsWith('friend'), block('10.99.0.0/16')),
  );
  await world.store.create(NETWORK_POLICIES, policy('q', 'web', block(`${other.address}/32`)));
  await waitForCounters(6);
  await expectHits();

  // One flow a packet, and of an answered one the first packet alone.
  send(friend, web, 5);
  send(other, web, 2);
  send(client, web, 4);
  await expectHits(
    'default/p ingress 1: 5',
    'default/p ingress denied: 4',
    'default/q ingress 0: 2',
    'default/q ingress denied: 4',
  );
  const before = repeatedSyns(friend.netns);
  for (let request = 0; request < 3; request++) {
    expect(await get(friend, web)).toBe('hello');
  }
  const friends = 5 + 3 + repeatedSyns(friend.netns) - before;
  const denied = ['default/p ingress denied: 4', 'default/q ingress denied: 4'];
  await expectHits(`default/p ingress 1: ${friends}`, denied[0] ?? '', 'default/q ingress 0: 2', denied[1] ?? '');
  const since = (await counts()).map((count) => [count.policy, count.since]);

  // The rule has moved, and those beside it are others.
  await world.store.mergePatch(
    NETWORK_POLICIES,
    'p',
    { spec: policy('p', 'web', block('10.98.0.0/16'), podsWith('nobody'), podsWith('third'), podsWith('friend')).spec },
    { namespace: 'default' },
  );
  await waitForCounters(7);
  expect(await hits()).toEqual([`default/p ingress 3: ${friends}`, denied[0], 'default/q ingress 0: 2', denied[1]]);
  send(friend, web, 2);
  const more = [`default/p ingress 3: ${friends + 2}`, denied[0], 'default/q ingress 0: 2', denied[1]];
  expect(await hits()).toEqual(more);

  // Of another agent; counters of rules that are gone go when it compares.
  await world.kill();
  send(friend, web, 1);
  await world.start();
  const last = [`default/p ingress 3: ${friends + 3}`, denied[0] ?? '', 'default/q ingress 0: 2', denied[1] ?? ''];
  await waitFor('the policies', async () => (await counts()).length === 7);
  await expectHits(...last);
  expect((await counts()).map((count) => [count.policy, count.since])).toEqual(expect.arrayContaining(since.slice(3)));

  // Nobody on this node is selected for a while.
  const labels = (app: string) => ({ spec: { podSelector: { matchLabels: { app } } } });
  await world.store.mergePatch(NETWORK_POLICIES, 'p', labels('absent'), { namespace: 'default' });
  await world.store.mergePatch(NETWORK_POLICIES, 'q', labels('absent'), { namespace: 'default' });
  await waitFor('no isolation', () => !world.netns.run(['nft', 'list', 'ruleset']).includes('counter name'));
  send(client, web, 1);
  expect(await hits()).toEqual(last);
  await world.store.mergePatch(NETWORK_POLICIES, 'q', labels('web'), { namespace: 'default' });
  await waitFor('isolation', () => world.netns.run(['nft', 'list', 'ruleset']).includes('counter name'));
  send(other, web, 1);
  expect(await hits()).toEqual([last[0], last[1], 'default/q ingress 0: 3', last[3]]);
  expect(world.log()).not.toMatch(/"level":"error"|policy rules repaired/);
}, 60_000);

test('what the kernel has as one rule counts for all that it stands for, and says so', async () => {
  await using world = await createAgentNode();
  const { web, client } = world;
  await world.start();
  for (const pod of [web, client]) await world.add(pod);
  const blocks = Array.from({ length: 4 }, (_, at) => block(`10.${at}.0.0/16`));
  const wide = policy('wide', 'web', ...blocks, block(`${client.address}/32`));
  const others = wide.spec.ingress.map(({ from }) => ({ from, ports: [{ protocol: 'TCP', port: 1 }] }));
  const spec = { ...wide.spec, ingress: [...others, ...wide.spec.ingress] };
  await world.store.create(NETWORK_POLICIES, { ...wide, spec });
  const counts = async (): Promise<readonly RuleCountMessage[]> => {
    const answer = await world.ask({ op: 'counters' });
    return answer.ok ? (answer.value as readonly RuleCountMessage[]) : [];
  };
  await waitFor('the rules', async () => (await counts()).length === 11);
  send(client, web, 3);
  expect((await counts()).map(({ rule, packets, sharedPackets }) => [rule, packets, sharedPackets])).toEqual([
    ...Array.from({ length: 10 }, (_, rule) => (rule < 5 ? [rule, 0, 0] : [rule, 3, 3])),
    [undefined, 0, 0],
  ]);
}, 60_000);
