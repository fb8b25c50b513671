/** Three pods and a node between them, routed; no masquerade but where a test asks for it. */
import { connectNetns, createTestNetns, type TestNetns } from './test-netns.ts';
import { type Ip, parseIp, unwrap } from 'net-types';

export interface FlowPod {
  readonly netns: TestNetns;
  readonly ip4: string;
  readonly ip6: string;
  readonly addresses: readonly Ip[];
}

export interface FlowWorld extends Disposable {
  readonly node: TestNetns;
  readonly client: FlowPod;
  readonly server: FlowPod;
  readonly other: FlowPod;
  /** Writes nft text in the node. */
  nft(text: string): void;
}

/** With tables that drop what has the bit of a cut flow, accept established flows, and ask chain `decide` of the rest. */
const TABLE = `
table inet flows {
  chain decide { }
  chain judge {
    type filter hook postrouting priority 50; policy accept;
    ct mark & 0x20000000 != 0 counter drop
    ct state established accept
    jump decide
  }
}`;

export function createFlowWorld(): FlowWorld {
  const node = createTestNetns('node');
  const made: TestNetns[] = [node];
  const pod = (name: string, number: number): FlowPod => {
    const netns = createTestNetns(name);
    made.push(netns);
    withoutAddressDetection(netns);
    const [ip4, ip6] = [`10.9.${number}.2`, `fd09:${number}::2`];
    connectNetns(
      { netns: node, name: `cnl${number}`, addresses: [`10.9.${number}.1/24`, `fd09:${number}::1/64`] },
      { netns, name: 'eth0', addresses: [`${ip4}/24`, `${ip6}/64`] },
    );
    netns.run(['ip', 'route', 'add', 'default', 'via', `10.9.${number}.1`]);
    netns.run(['ip', '-6', 'route', 'add', 'default', 'via', `fd09:${number}::1`]);
    return { netns, ip4, ip6, addresses: [ip4, ip6].map((text) => unwrap(parseIp(text))) };
  };
  const dispose = (): void => {
    for (const netns of made) netns[Symbol.dispose]();
  };
  try {
    withoutAddressDetection(node);
    node.run(['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
    const [client, server, other] = [pod('client', 1), pod('server', 2), pod('other', 3)];
    const nft = (text: string): void => void node.run(['nft', '-f', '-'], { stdin: `${text}\n` });
    nft(TABLE);
    return { node, client, server, other, nft, [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** A router asks for neighbours by its link-local address alone, which is of no use for its first second otherwise. */
function withoutAddressDetection(netns: TestNetns): void {
  netns.run(['sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0', 'net.ipv6.conf.default.dad_transmits=0']);
}
