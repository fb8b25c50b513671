/**
 * Which packets get this node's address on their way out, and which keep their own.
 *
 * | # | in postrouting, in this order                          | what becomes of the source address                      |
 * |---|--------------------------------------------------------|---------------------------------------------------------|
 * | 1 | marked by kube-proxy                                   | kube-proxy's own rules change it                        |
 * | 2 | from a pod of this node to a pod anywhere              | kept: there is no NAT between pods                      |
 * | 3 | to a pod of this node, whoever sent it                 | kept: externalTrafficPolicy Local, policy and logs      |
 * |   |                                                        | depend on the client's address                          |
 * | 4 | from a pod to anything else but multicast              | masqueraded: nobody outside has a route to pods         |
 * | 5 | from outside the pods' network to a pod elsewhere      | masqueraded: the answer must come back through here     |
 *
 * This is flannel's iptables form; its two rules for destinations of this node, one for each kind of sender, are one here.
 * Rule 4 also takes what this node relays from one remote pod to another: a NodePort of ours with an endpoint elsewhere,
 * whose answer has to pass here again to be translated back.
 *
 * The order is the meaning. Rule 3 asks for this node's own pods alone: with the cluster's network in its place
 * (flannel's nftables form) it hides rule 5.
 */
import {
  NETWORK_NFT_TABLE,
  type TrafficChain,
  type TrafficMatch,
  type TrafficRule,
  type TrafficTable,
} from '@canal/model';
import { type Cidr, cidrFamily, compareCidr, type IpFamily, parseCidr, unwrap } from 'net-types';

export interface TrafficRulesInput {
  /** One entry an address family in use. */
  readonly families: readonly TrafficFamily[];
  /** --ip-masq */
  readonly masquerade: boolean;
  /** Ports at random, unless --ip-masq-fully-random-disable: two flows never race for one port and lose a packet. */
  readonly fullyRandom: boolean;
  /** --iptables-forward-rules */
  readonly forward: boolean;
}

export interface TrafficFamily {
  /** The cluster's network of that family: `Network` or `IPv6Network`. */
  readonly network: Cidr;
  /** The part of it that this node's pods have. */
  readonly podSubnet: Cidr;
}

/**
 * kube-proxy's default mark for "masquerade this" (--iptables-masquerade-bit 14). Compared by mask: other bits of the
 * mark belong to other programs.
 */
const KUBE_MARK_MASQUERADE = 0x4000;

/** NF_IP_PRI_NAT_SRC: where everybody's source NAT is. The first chain that translates a flow wins, whichever it is. */
const PRIORITY_SOURCE_NAT = 100;

/**
 * Behind every filter of others (0, firewalld's 10), so that policy has judged before. An accept in nftables ends its own
 * chain alone, so these rules can let nothing through that another table drops, and let nothing past a policy. They are
 * there to be counted: what they count has passed every filter of this host, and if pods do not reach each other while
 * the counters stand still, somebody drops. Who, that is found and reported apart.
 */
const PRIORITY_AFTER_FILTERS = 20;

const MULTICAST: Readonly<Record<IpFamily, Cidr>> = {
  4: unwrap(parseCidr('224.0.0.0/4')),
  6: unwrap(parseCidr('ff00::/8')),
};

export function compileTrafficRules(input: TrafficRulesInput): TrafficTable {
  const families = [...input.families].sort((a, b) => compareCidr(a.network, b.network));
  const chains: TrafficChain[] = [];
  if (input.masquerade && families.length > 0) chains.push(postrouting(families, input.fullyRandom));
  if (input.forward && families.length > 0) chains.push(forward(families));
  return { name: NETWORK_NFT_TABLE, chains };
}

function postrouting(families: readonly TrafficFamily[], fullyRandom: boolean): TrafficChain {
  const marked: TrafficRule = {
    matches: [{ type: 'mark', mask: KUBE_MARK_MASQUERADE, value: KUBE_MARK_MASQUERADE }],
    verdict: { type: 'return' },
    comment: 'kube-proxy masquerades what it has marked',
  };
  return {
    name: 'postrouting',
    type: 'nat',
    hook: 'postrouting',
    priority: PRIORITY_SOURCE_NAT,
    rules: [marked, ...families.flatMap((family) => masqueradeRules(family, fullyRandom))],
  };
}

function masqueradeRules({ network, podSubnet }: TrafficFamily, fullyRandom: boolean): TrafficRule[] {
  const masquerade = { type: 'masquerade', fullyRandom } as const;
  return [
    {
      matches: [from(podSubnet), to(network)],
      verdict: { type: 'return' },
      comment: 'no NAT from pods of this node to pods',
    },
    {
      matches: [to(podSubnet)],
      verdict: { type: 'return' },
      comment: 'pods of this node see who sends to them',
    },
    {
      matches: [from(network), notTo(MULTICAST[cidrFamily(network)])],
      verdict: masquerade,
      comment: 'pods to outside the cluster',
    },
    {
      matches: [notFrom(network), to(network)],
      verdict: masquerade,
      comment: 'outside to pods of other nodes',
    },
  ];
}

function forward(families: readonly TrafficFamily[]): TrafficChain {
  return {
    name: 'forward',
    type: 'filter',
    hook: 'forward',
    priority: PRIORITY_AFTER_FILTERS,
    rules: families.flatMap(({ network }): TrafficRule[] => [
      { matches: [from(network)], verdict: { type: 'accept' }, comment: 'from pods, dropped by nobody' },
      { matches: [to(network)], verdict: { type: 'accept' }, comment: 'to pods, dropped by nobody' },
    ]),
  };
}

function from(cidr: Cidr): TrafficMatch {
  return { type: 'source', cidr };
}

function notFrom(cidr: Cidr): TrafficMatch {
  return { type: 'source', cidr, negated: true };
}

function to(cidr: Cidr): TrafficMatch {
  return { type: 'destination', cidr };
}

function notTo(cidr: Cidr): TrafficMatch {
  return { type: 'destination', cidr, negated: true };
}
