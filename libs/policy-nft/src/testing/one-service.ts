/** One service before one pod, by the rules of either kube-proxy: port 80 of the service is port 81 of the pod. */
export interface ServedPod {
  readonly ip4: string;
  readonly ip6: string;
}

/** Where the rules go. */
export interface ProxyNode {
  run(argv: readonly string[], options?: { readonly stdin?: string }): string;
}

export const SERVICE = { ip4: '10.96.0.1', ip6: 'fd00:10:96::1' } as const;

type Proxy = (node: ProxyNode, to: ServedPod) => void;

function iptablesProxy(node: ProxyNode, to: ServedPod): void {
  for (const [tool, service, target] of [
    ['iptables-nft', SERVICE.ip4, `${to.ip4}:81`],
    ['ip6tables-nft', SERVICE.ip6, `[${to.ip6}]:81`],
  ] as const) {
    for (const hook of ['PREROUTING', 'OUTPUT']) {
      const match = ['-d', service, '-p', 'tcp', '--dport', '80'];
      node.run([tool, '-t', 'nat', '-A', hook, ...match, '-j', 'DNAT', '--to-destination', target]);
    }
    node.run([tool, '-t', 'nat', '-A', 'POSTROUTING', '-j', 'MASQUERADE', '--random-fully']);
  }
}

function nftablesProxy(node: ProxyNode, to: ServedPod): void {
  const rules = (family: 'ip' | 'ip6', service: string, target: string): string => `table ${family} proxy {
    chain services { ${family} daddr ${service} tcp dport 80 dnat to ${target}
    }
    chain in { type nat hook prerouting priority dstnat; jump services
    }
    chain out { type nat hook output priority -100; jump services
    }
    chain post { type nat hook postrouting priority srcnat; masquerade fully-random
    }
  }
  `;
  const text = rules('ip', SERVICE.ip4, `${to.ip4}:81`) + rules('ip6', SERVICE.ip6, `[${to.ip6}]:81`);
  node.run(['nft', '-f', '-'], { stdin: text });
}

/** DNAT, and masquerade of everything, as kube-proxy does it. */
export const PROXIES: readonly (readonly [string, Proxy])[] = [
  ['iptables-nft', iptablesProxy],
  ['nftables', nftablesProxy],
];
