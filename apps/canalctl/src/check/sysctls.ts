/** Switches of the kernel that decide whether packets of pods pass. */
import { readFileSync } from 'node:fs';
import { type Observation, ok, trouble } from './observation.ts';

/** By their names: `net/ipv4/ip_forward`; those that are not there are absent. */
export type Sysctls = ReadonlyMap<string, number>;

const NAMES = [
  'net/ipv4/ip_forward',
  'net/ipv4/conf/all/rp_filter',
  'net/ipv6/conf/all/forwarding',
  'net/ipv6/conf/all/disable_ipv6',
  'net/bridge/bridge-nf-call-iptables',
  'net/netfilter/nf_conntrack_max',
  'net/netfilter/nf_conntrack_count',
] as const;

export function readSysctls(): Sysctls {
  return new Map(
    NAMES.flatMap((name): [string, number][] => {
      try {
        return [[name, Number(readFileSync(`/proc/sys/${name}`, 'utf8').trim())]];
      } catch {
        return [];
      }
    }),
  );
}

/** A node with some hundred pods. */
const FEW_FLOWS = 65_536;
const NEARLY_FULL = 0.8;

export function judgeSysctls(values: Sysctls): readonly Observation[] {
  return [...forwarding(values), reversePath(values), ...ipv6(values), bridged(values), conntrack(values)];
}

function forwarding(values: Sysctls): readonly Observation[] {
  return (['net/ipv4/ip_forward', 'net/ipv6/conf/all/forwarding'] as const).flatMap((name): Observation[] => {
    const value = values.get(name);
    const title = dotted(name);
    return value === undefined ? [] : [ok(title, title, value === 1 ? '1' : `${value}: the node agent sets it to 1`)];
  });
}

function dotted(name: string): string {
  return name.replaceAll('/', '.');
}

function reversePath(values: Sysctls): Observation {
  const title = 'net.ipv4.conf.all.rp_filter';
  const value = values.get('net/ipv4/conf/all/rp_filter') ?? 0;
  return ok(title, title, value === 1 ? '1 (strict): the node agent sets 2 where its devices need it' : String(value));
}

function ipv6(values: Sysctls): readonly Observation[] {
  const title = 'net.ipv6.conf.all.disable_ipv6';
  const value = values.get('net/ipv6/conf/all/disable_ipv6');
  if (value === undefined) return [];
  if (value === 0) return [ok(title, title, '0')];
  const cause = 'devices of this node get no IPv6 address';
  return [
    trouble('warn', { id: title, what: title, found: String(value) }, cause, 'set it to 0 if pods shall have IPv6'),
  ];
}

/** It matters for bridges alone, and both values do. */
function bridged(values: Sysctls): Observation {
  const title = 'net.bridge.bridge-nf-call-iptables';
  const value = values.get('net/bridge/bridge-nf-call-iptables');
  return ok(title, title, value === undefined ? 'br_netfilter is not loaded, and not needed' : String(value));
}

function conntrack(values: Sysctls): Observation {
  const title = 'net.netfilter.nf_conntrack_max';
  const [max, count] = [
    values.get('net/netfilter/nf_conntrack_max'),
    values.get('net/netfilter/nf_conntrack_count') ?? 0,
  ];
  if (max === undefined) return ok(title, title, 'conntrack is not loaded yet');
  const thing = { id: title, what: title, found: `${max}, ${count} in use` };
  const next = `set a larger one, such as ${Math.max(2 * max, 4 * FEW_FLOWS)}: /etc/sysctl.d, or conntrack.maxPerCore of kube-proxy`;
  if (count > NEARLY_FULL * max) {
    return trouble('warn', thing, 'the table of flows is nearly full: new flows are dropped when it is', next);
  }
  if (max < FEW_FLOWS) return trouble('warn', thing, 'the table of flows is small for a node with many pods', next);
  return ok(thing.id, thing.what, thing.found);
}
