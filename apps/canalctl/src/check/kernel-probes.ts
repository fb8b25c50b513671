/**
 * What the kernel can do, tried out in a network namespace that nobody else sees and that goes with its descriptor: the
 * rules, devices and sockets are those that the agents use.
 */
import { closeSync } from 'node:fs';
import { release } from 'node:os';
import { createLinuxKernel, createNftTrafficKernel } from '@canal/kernel-linux';
import { awaitPacketsInFlight, NETLINK_NETFILTER, openNetlinkConnection, openNewNetns } from '@canal/linux-ffi';
import { createPolicyKernel } from '@canal/policy-nft';
import { parseIp, unwrap } from 'net-types';
import {
  bindNflogGroup,
  conntrackTuple,
  findConntrack,
  type LinkInput,
  newConntrack,
  newLink,
  NFPROTO,
} from 'netlink-ts';
import { kernelAge } from './kernel-age.ts';
import { type Observation, ok, trouble } from './observation.ts';
import { NETWORK_TABLE, POLICY_GUARD, POLICY_VIEW } from './probe-rules.ts';

/** Any: the namespace is empty. */
const NFLOG_GROUP = 20;
/** The mark's bit that flows are cut by. */
const CUT_BIT = 0x2000_0000;

const WITHOUT_MODULE =
  'use a kernel that has it, or install the package with the missing module (linux-modules-extra, kernel-modules)';

/** Nothing of the host is changed; the kernel may load modules that the agents would make it load. */
export async function probeKernel(backend: 'vxlan' | 'host-gw'): Promise<readonly Observation[]> {
  const observations = [kernelAge(release())];
  // Calls into libc need memory that is writable and executable: nothing else can be tried without.
  const memory = probeExecutableMemory();
  observations.push(...memory);
  if (memory.some(({ verdict }) => verdict === 'fail')) return observations;
  const netns = probe('network-namespaces', 'network namespaces', () => openNewNetns(), {
    next: 'run it with CAP_SYS_ADMIN (docker run --privileged); the kernel needs CONFIG_NET_NS',
  });
  if (typeof netns !== 'number') return [...observations, netns];
  try {
    observations.push(...devices(netns, backend), ...(await features(netns)), ...(await rules(netns)), ...flows(netns));
  } finally {
    closeSync(netns);
  }
  return observations;
}

function probeExecutableMemory(): readonly Observation[] {
  const barrier = probe('executable-memory', 'executable memory', () => awaitPacketsInFlight(), {
    next: 'allow it: MemoryDenyWriteExecute=no in the unit, or the SELinux permission execmem (docs/security.md)',
  });
  if (typeof barrier !== 'boolean') return [barrier];
  const what = 'membarrier(2)';
  return [
    ok('executable-memory', 'executable memory', 'allowed'),
    barrier
      ? ok('membarrier', what, 'there')
      : trouble(
          'warn',
          { id: 'membarrier', what, found: 'refused' },
          'the agent cannot wait for packets under way when policy changes: it waits a fixed time instead',
          'allow membarrier in the seccomp profile; kernels with nohz_full do not have it',
        ),
  ];
}

interface Need {
  readonly verdict?: 'warn' | 'fail';
  readonly next: string;
}

/** What the use gives, or what it threw as an observation. */
function probe<T>(id: string, what: string, use: () => T, need: Need): T | Observation {
  try {
    return use();
  } catch (error) {
    return refused(id, what, error, need);
  }
}

function refused(id: string, what: string, error: unknown, { verdict = 'fail', next }: Need): Observation {
  const cause = error instanceof Error ? error.message : String(error);
  return trouble(verdict, { id, what, found: 'refused' }, cause, next);
}

function devices(netns: number, backend: 'vxlan' | 'host-gw'): readonly Observation[] {
  using connection = openNetlinkConnection({ netns });
  const kinds: readonly { readonly link: LinkInput; readonly kind: string; readonly need: Need['verdict'] }[] = [
    { kind: 'veth', need: 'fail', link: { name: 'c0', info: { kind: 'veth', veth: { peer: { name: 'c1' } } } } },
    {
      kind: 'vxlan',
      need: backend === 'vxlan' ? 'fail' : 'warn',
      link: { name: 'c2', info: { kind: 'vxlan', vxlan: { id: 1, port: 8472 } } },
    },
    { kind: 'bridge', need: 'warn', link: { name: 'c3', info: { kind: 'bridge' } } },
  ];
  return kinds.map(({ kind, need = 'fail', link }) => {
    const [id, what] = [`device-${kind}`, `${kind} devices`];
    const made = probe(id, what, () => connection.execute(newLink(link)), {
      verdict: need,
      next: `"modprobe ${kind}", or a kernel with CONFIG_${kind.toUpperCase()}${need === 'warn' ? `; only what uses ${kind} devices needs them` : ''}`,
    });
    return isObservation(made) ? made : ok(id, what, 'there');
  });
}

function isObservation(value: unknown): value is Observation {
  return typeof value === 'object' && value !== null && 'verdict' in value;
}

async function features(netns: number): Promise<readonly Observation[]> {
  const kernel = createLinuxKernel({ netns });
  try {
    const { nexthopObjects, ipv6 } = await kernel.features();
    return [
      nexthopObjects
        ? ok('nexthop-objects', 'nexthop objects', 'there')
        : trouble(
            'warn',
            { id: 'nexthop-objects', what: 'nexthop objects', found: 'absent' },
            'routes to thousands of nodes are slow to write on this kernel',
            'Linux 5.3 or later, where the cluster has more than some hundred nodes',
          ),
      ipv6
        ? ok('ipv6', 'IPv6', 'there')
        : trouble(
            'warn',
            { id: 'ipv6', what: 'IPv6', found: 'absent' },
            'pods of this node can have IPv4 addresses alone',
            'nothing, where the pod network is IPv4; else boot without ipv6.disable=1',
          ),
    ];
  } finally {
    kernel.close();
  }
}

/** Every kind of table, chain, set and expression that the agents write, in the families that they use. */
async function rules(netns: number): Promise<readonly Observation[]> {
  const network = createNftTrafficKernel({ netns });
  const policy = createPolicyKernel({ netns });
  try {
    const masquerade = await probeAsync('nft-network', 'nf_tables: masquerade and forwarding', () =>
      network.apply(NETWORK_TABLE),
    );
    const judged = await probeAsync('nft-policy', 'nf_tables: rules of policies', () =>
      policy.resync(POLICY_VIEW, POLICY_GUARD),
    );
    const limits = judged.verdict === 'ok' ? policy.limits() : [];
    const family = (id: string, what: string, code: string): readonly Observation[] => {
      const limit = limits.find((one) => one.code === code);
      if (judged.verdict !== 'ok') return [];
      if (limit === undefined) return [ok(id, what, 'there')];
      const [cause = '', next = ''] = limit.message.split(/ Cure: /);
      return [trouble('warn', { id, what, found: 'absent' }, cause, next)];
    };
    return [
      masquerade,
      judged,
      ...family('nft-arp', 'nf_tables: family arp', 'arp-unguarded'),
      ...family('nft-bridge', 'nf_tables: family bridge', 'bridge-isolated'),
    ];
  } finally {
    policy.close();
    network.close();
  }
}

async function probeAsync(id: string, what: string, use: () => Promise<unknown>): Promise<Observation> {
  try {
    await use();
    return ok(id, what, 'taken by the kernel');
  } catch (error) {
    return refused(id, what, error, { next: WITHOUT_MODULE });
  }
}

function flows(netns: number): readonly Observation[] {
  using connection = openNetlinkConnection({ protocol: NETLINK_NETFILTER, netns });
  const [a, b] = ['192.0.2.1', '192.0.2.2'].map((text) => unwrap(parseIp(text)));
  const marked = probe(
    'conntrack-mark',
    'marks of tracked flows',
    () => {
      if (a === undefined || b === undefined) return undefined;
      const protocol = { number: 17, sourcePort: 1, destinationPort: 2 };
      const original = conntrackTuple(a, b, protocol);
      const reply = conntrackTuple(b, a, { number: 17, sourcePort: 2, destinationPort: 1 });
      connection.execute(newConntrack({ family: NFPROTO.IPV4, original, reply, timeout: 10, mark: CUT_BIT }));
      return findConntrack(connection, { tuple: original })?.mark;
    },
    { next: 'a kernel with CONFIG_NF_CT_NETLINK: without it the agent does not see flows, and cuts none' },
  );
  const told = probe('nflog', 'NFLOG', () => connection.execute(bindNflogGroup(NFLOG_GROUP, { copyBytes: 64 })), {
    verdict: 'warn',
    next: 'a kernel with CONFIG_NETFILTER_NETLINK_LOG: without it no verdict is told',
  });
  return [markOf(marked), isObservation(told) ? told : ok('nflog', 'NFLOG', 'there')];
}

function markOf(marked: number | undefined | Observation): Observation {
  if (isObservation(marked)) return marked;
  const [id, what] = ['conntrack-mark', 'marks of tracked flows'];
  if (marked === CUT_BIT) return ok(id, what, 'kept');
  const cause = 'the kernel keeps no mark with a flow: flows that policy denies are not cut';
  return trouble('fail', { id, what, found: 'lost' }, cause, 'a kernel with CONFIG_NF_CONNTRACK_MARK');
}
