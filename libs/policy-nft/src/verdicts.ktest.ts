/** What rules of nft tell by NFLOG, as records: one of each kind, floods, listeners in each other's way. */
import type { VerdictRecord } from '@canal/kernel-port';
import { connectNetns, createTestNetns, type TestNetns, waitFor } from '@canal/testing';
import { type Ip, parseIp, unwrap } from 'net-types';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readVerdicts } from './verdicts.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));

let node: TestNetns;
let pod: TestNetns;

beforeEach(() => {
  [node, pod] = [createTestNetns('node'), createTestNetns('pod')];
  connectNetns(
    { netns: node, name: 'cnl1', addresses: ['10.9.1.1/24', 'fd09:1::1/64'] },
    { netns: pod, name: 'eth0', addresses: ['10.9.1.2/24', 'fd09:1::2/64'] },
  );
});

afterEach(() => {
  pod[Symbol.dispose]();
  node[Symbol.dispose]();
});

const nft = (text: string): void => void node.run(['nft', '-f', '-'], { stdin: `${text}\n` });

/** Runs Python in the pod to its end. */
async function inPod(script: string): Promise<string> {
  const child = pod.within(() => Bun.spawn(['python3', '-c', script], { stdout: 'pipe' }));
  const output = await new Response(child.stdout).text();
  expect(await child.exited).toBe(0);
  return output;
}

interface Listening extends AsyncDisposable {
  readonly records: VerdictRecord[];
}

function listen(): Listening {
  const abort = new AbortController();
  const records: VerdictRecord[] = [];
  const done = (async () => {
    for await (const record of readVerdicts({ netns: node.path }, abort.signal)) records.push(record);
  })();
  return {
    records,
    async [Symbol.asyncDispose]() {
      abort.abort();
      await done;
    },
  };
}

test('the addresses, ports, protocol, interfaces and reason of packets of each family', async () => {
  nft(`table inet t {
    chain pre { type filter hook prerouting priority 0; policy accept
      icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept
      meta l4proto 132 log prefix "canal:spoofed" group 20 snaplen 64 drop
    }
    chain in { type filter hook input priority 0; policy accept
      udp dport 53 log prefix "canal:egress-denied" group 20 snaplen 64 drop
      tcp dport 80 log prefix "canal:ingress-denied" group 20 snaplen 64 drop
      icmp type echo-request log prefix "canal:allowed" group 20 snaplen 64 drop
      udp dport 54 log prefix "somebody: else" group 20 drop
      udp dport 55 log prefix "canal:nonsense" group 20 drop
    }
    chain out { type filter hook postrouting priority 0; policy accept
      udp dport 56 log prefix "canal:cut" group 20 snaplen 64 drop
    }
  }
  table arp t { chain in { type filter hook input priority 0; policy accept
      arp operation request arp daddr ip 10.9.1.77 log prefix "canal:spoofed" group 20 drop
  }
  }`);
  await using listening = listen();
  await inPod(`
import socket, struct
def udp(address, port, sport):
    s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(('', sport)); s.sendto(b'.', (address, port))
for port in (54, 55, 53): udp('10.9.1.1', port, 4000)
udp('fd09:1::1', 53, 4001)
s = socket.socket(); s.setblocking(False); s.bind(('', 4002)); s.connect_ex(('10.9.1.1', 80))
socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).sendto(struct.pack('!BBHHH', 8, 0, 0xf7fd, 1, 1), ('10.9.1.1', 0))
socket.socket(socket.AF_INET6, socket.SOCK_RAW, 132).sendto(struct.pack('!HHII', 5, 6, 0, 0), ('fd09:1::1', 0))
a = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0x0806); a.bind(('eth0', 0x0806))
a.sendto(struct.pack('!HHBBH6s4s6s4s', 1, 0x0800, 6, 4, 1, b'\\x02' * 6, socket.inet_aton('10.9.1.5'), b'\\0' * 6, socket.inet_aton('10.9.1.77')), ('eth0', 0x0806, 0, 0, b'\\xff' * 6))
`);
  node.exec([
    'python3',
    '-c',
    `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 4003))
try: s.sendto(b'.', ('10.9.1.2', 56))
except OSError: pass`,
  ]);
  await waitFor('all records', () => listening.records.length === 7);
  const now = Date.now();
  for (const { timeMs } of listening.records) expect(Math.abs(now - timeMs)).toBeLessThan(10_000);
  const incoming = { inInterface: 'cnl1', lost: 0 };
  const v4 = { family: 4, source: ip('10.9.1.2'), destination: ip('10.9.1.1'), ...incoming };
  const v6 = { family: 6, source: ip('fd09:1::2'), destination: ip('fd09:1::1'), ...incoming };
  expect(listening.records.map(({ timeMs: _, ...record }) => record)).toEqual([
    { reason: 'egress-denied', protocol: 17, sourcePort: 4000, destinationPort: 53, ...v4 },
    { reason: 'egress-denied', protocol: 17, sourcePort: 4001, destinationPort: 53, ...v6 },
    { reason: 'ingress-denied', protocol: 6, sourcePort: 4002, destinationPort: 80, ...v4 },
    { reason: 'allowed', protocol: 1, ...v4 },
    { reason: 'spoofed', protocol: 132, sourcePort: 5, destinationPort: 6, ...v6 },
    { reason: 'spoofed', protocol: 0, ...v4, source: ip('10.9.1.5'), destination: ip('10.9.1.77') },
    {
      reason: 'cut',
      protocol: 17,
      sourcePort: 4003,
      destinationPort: 56,
      family: 4,
      source: ip('10.9.1.1'),
      destination: ip('10.9.1.2'),
      outInterface: 'cnl1',
      lost: 0,
    },
  ]);
});

test('of a packet at the port of a bridge, the port', async () => {
  node.run(['ip', 'link', 'add', 'cni0', 'up', 'type', 'bridge']);
  node.run(['ip', 'address', 'flush', 'dev', 'cnl1']);
  node.run(['ip', 'link', 'set', 'cnl1', 'master', 'cni0']);
  node.run(['ip', 'address', 'add', '10.9.1.1/24', 'dev', 'cni0']);
  nft(`table bridge t { chain pre { type filter hook prerouting priority 0; policy accept
    udp dport 53 log prefix "canal:spoofed" group 20 snaplen 64 drop
    arp operation request log prefix "canal:spoofed" group 20 snaplen 64
  }
}`);
  pod.run(['ip', 'neigh', 'flush', 'dev', 'eth0']);
  await using listening = listen();
  await inPod(`import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'.', ('10.9.1.1', 53))`);
  await waitFor('both records', () => listening.records.length === 2);
  const ends = { reason: 'spoofed', source: ip('10.9.1.2'), destination: ip('10.9.1.1'), inInterface: 'cnl1' };
  expect(listening.records).toMatchObject([
    { ...ends, protocol: 0 },
    { ...ends, protocol: 17, destinationPort: 53 },
  ]);
});

test('a second listener is told that there is a first one; after that one is gone it gets the group', async () => {
  {
    await using first = listen();
    await waitFor('the group', () => node.run(['cat', '/proc/net/netfilter/nfnetlink_log']).trim() !== '');
    const second = readVerdicts({ netns: node.path }, new AbortController().signal);
    await expect(second.next()).rejects.toMatchObject({ name: 'KernelError', code: 'permission' });
    expect(first.records).toEqual([]);
  }
  expect(node.run(['cat', '/proc/net/netfilter/nfnetlink_log']).trim()).toBe('');
  await using third = listen();
  nft(`table inet t { chain in { type filter hook input priority 0; policy accept
    udp dport 53 log prefix "canal:cut" group 20 drop
  }
  }`);
  await inPod(`import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'.', ('10.9.1.1', 53))`);
  await waitFor('a record', () => third.records.length === 1);
});

describe('a flood', () => {
  const FLOOD = `
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end = time.monotonic() + 3
sent = 0
while time.monotonic() < end or sent < 120000:
    for _ in range(200):
        s.sendto(b'.', ('10.9.1.1', 53))
        sent += 1
print(sent)
`;

  test('takes no memory, holds nobody up, and what is not told is counted', async () => {
    nft(`table inet t { chain in { type filter hook input priority 0; policy accept
      udp dport 53 counter log prefix "canal:egress-denied" group 20 snaplen 64 drop
      udp dport 54 log prefix "canal:cut" group 20 snaplen 64 drop
    }
    }`);
    await using listening = listen();
    const memory = process.memoryUsage().rss;
    let peak = 0;
    let lag = 0;
    // Processor time of this thread: how long its other work has waited for the flood, not for the rest of the machine.
    const ownMs = (): number => {
      const { user, system } = process.threadCpuUsage();
      return (user + system) / 1000;
    };
    let last = ownMs();
    const startedMs = performance.now();
    const child = pod.within(() => Bun.spawn(['python3', '-c', FLOOD], { stdout: 'pipe' }));
    const timer = setInterval(() => {
      const now = ownMs();
      [lag, last] = [Math.max(lag, now - last), now];
      peak = Math.max(peak, process.memoryUsage().rss);
    }, 5);
    last = ownMs();
    const sent = Number(await new Response(child.stdout).text());
    clearInterval(timer);
    await Bun.sleep(300);
    await inPod(`import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'.', ('10.9.1.1', 54))`);
    await waitFor('the last record', () => listening.records.at(-1)?.reason === 'cut');
    const seconds = (performance.now() - startedMs) / 1_000;
    const told = listening.records.length - 1;
    const lost = listening.records.reduce((sum, record) => sum + record.lost, 0);
    const counted = Number(/counter packets (\d+)/.exec(node.run(['nft', 'list', 'ruleset']))?.[1]);
    expect(sent).toBeGreaterThan(100_000);
    expect(told).toBeGreaterThan(10_000);
    expect(told + lost).toBe(counted);
    expect(told).toBeLessThan(10_000 + 5_000 * (seconds + 1));
    expect(peak - memory).toBeLessThan(64e6);
    // Some 10; without slices (SLICE_MS) 140 and more.
    expect(lag).toBeLessThan(100);
  }, 60_000);
});
