/**
 * Services before pods, by the rules that kube-proxy makes: destination translated first, source last. SCTP keeps its
 * source port, by which a packet made by hand is known again.
 */
/* eslint-disable @nx/enforce-module-boundaries -- of tests alone */
import { NODE, OTHER_NODE, type PolicyWorld } from '@canal/testing';
import { type Place, SERVICE_PORTS } from './checklist-probes.ts';

/** Ports of the node that lead to port 80 of the place `subject`; the second without masquerade, as a hostPort does. */
const NODE_PORT = 30_080;
const HOST_PORT = 30_081;

const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const;
const PODS = { ip4: '10.244.0.0/16', ip6: 'fd00:10:244::/48' } as const;

interface Translation {
  readonly protocol: string;
  readonly from: string;
  readonly fromPort: number;
  readonly to: string;
  readonly toPort: number;
}

export function setUpServices(
  world: PolicyWorld,
  proxy: 'nftables' | 'iptables-nft',
  places: ReadonlyMap<string, Place>,
  ports: readonly number[],
): void {
  for (const family of ['ip4', 'ip6'] as const) {
    const served = [...places.values()].filter(({ service }) => service !== undefined);
    const translations = [
      ...served.flatMap(({ service, [family]: to }) =>
        PROTOCOLS.flatMap((protocol) =>
          ports.map((toPort): Translation => ({
            protocol,
            from: service?.[family] ?? '',
            fromPort: SERVICE_PORTS + toPort,
            to,
            toPort,
          })),
        ),
      ),
      ...[NODE_PORT, HOST_PORT].map((fromPort): Translation => ({
        protocol: 'tcp',
        from: NODE[family],
        fromPort,
        to: places.get('subject')?.[family] ?? '',
        toPort: 80,
      })),
    ];
    const itself = served.map(({ [family]: address }) => address);
    if (proxy === 'nftables') {
      world.node.run(['nft', '-f', '-'], { stdin: nftText(family, translations, itself) });
    } else {
      const tool = family === 'ip4' ? 'iptables-nft-restore' : 'ip6tables-nft-restore';
      world.node.run([tool], { stdin: iptablesText(family, translations, itself) });
    }
    const services = family === 'ip4' ? '10.96.0.0/16' : 'fd00:10:96::/48';
    world.far.run(['ip', 'route', 'add', services, 'via', NODE[family]]);
    // The node has some way out, or what it sends to a service ends before it is translated.
    world.node.run(['ip', 'route', 'add', services, 'via', OTHER_NODE[family]]);
  }
}

function target(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function nftText(family: 'ip4' | 'ip6', translations: readonly Translation[], itself: readonly string[]): string {
  const name = family === 'ip4' ? 'ip' : 'ip6';
  const dnat = translations.map(
    ({ protocol, from, fromPort, to, toPort }) =>
      `${name} daddr ${from} ${protocol} dport ${fromPort} dnat to ${target(to, toPort)}`,
  );
  return `table ${name} proxy {
    chain services {
      ${dnat.join('\n      ')}
    }
    chain in { type nat hook prerouting priority dstnat; jump services
    }
    chain out { type nat hook output priority -100; jump services
    }
    chain post { type nat hook postrouting priority srcnat;
      ${itself.map((address) => `${name} saddr ${address} ${name} daddr ${address} masquerade`).join('\n      ')}
      meta l4proto tcp ct original proto-dst ${HOST_PORT} return
      meta l4proto sctp ct status dnat ${name} saddr != ${PODS[family]} masquerade
      ct status dnat ${name} saddr != ${PODS[family]} masquerade fully-random
    }
  }
  `;
}

function iptablesText(family: 'ip4' | 'ip6', translations: readonly Translation[], itself: readonly string[]): string {
  const dnat = translations.map(
    ({ protocol, from, fromPort, to, toPort }) =>
      `-A SERVICES -d ${from} -p ${protocol} --dport ${fromPort} -j DNAT --to-destination ${target(to, toPort)}`,
  );
  return [
    '*nat',
    ':SERVICES - [0:0]',
    '-A PREROUTING -j SERVICES',
    '-A OUTPUT -j SERVICES',
    ...dnat,
    ...itself.map((address) => `-A POSTROUTING -s ${address} -d ${address} -j MASQUERADE`),
    `-A POSTROUTING -m conntrack --ctorigdstport ${HOST_PORT} -j RETURN`,
    `-A POSTROUTING -p sctp -m conntrack --ctstate DNAT ! -s ${PODS[family]} -j MASQUERADE`,
    `-A POSTROUTING -m conntrack --ctstate DNAT ! -s ${PODS[family]} -j MASQUERADE --random-fully`,
    'COMMIT',
    '',
  ].join('\n');
}
