/** Switches under /proc/sys/net/…/conf and …/neigh. */
import type { ActualSysctl, DesiredSysctl } from '@canal/model';
import type { NetworkConflict } from './conflict.ts';
import type { EntryDiffContext } from './diff-context.ts';

export function diffSysctls(
  { links, plan }: EntryDiffContext,
  desired: readonly DesiredSysctl[],
  actual: readonly ActualSysctl[],
  conflicts: NetworkConflict[],
): void {
  const values = new Map(actual.map((sysctl) => [sysctlPath(sysctl), sysctl.value]));
  for (const sysctl of desired) {
    if (sysctl.link !== 'all' && links.taken.has(sysctl.link)) {
      if (sysctl.enforce) plan.withhold({ type: 'sysctl-set', sysctl });
      continue;
    }
    const fresh = sysctl.link !== 'all' && links.fresh.has(sysctl.link);
    const value = fresh ? undefined : effectiveValue(sysctl, values);
    // Not there although its device is: the kernel has no such switch, hence nothing that it could do wrong.
    if (!fresh && value === undefined) continue;
    if (value === sysctl.value || (value !== undefined && sysctl.acceptable?.includes(value) === true)) continue;
    if (sysctl.enforce) plan.add('sysctls', { type: 'sysctl-set', sysctl });
    else if (value !== undefined) conflicts.push(sysctlDiffers(sysctl, value));
  }
}

/** The name as sysctl(8) takes it. Dots in a device's name are written as slashes. */
export function sysctlPath({ link, family, name }: Pick<DesiredSysctl, 'link' | 'family' | 'name'>): string {
  const tree = name === 'proxy_delay' ? 'neigh' : 'conf';
  return `net.ipv${family}.${tree}.${link.replaceAll('.', '/')}.${name}`;
}

/**
 * What the kernel makes of the value (ip-sysctl): rp_filter works with the greater of the device's and conf/all's;
 * accept_ra 1 means "unless the device forwards", so on one that does it is as good as 0.
 */
function effectiveValue(sysctl: DesiredSysctl, values: ReadonlyMap<string, number>): number | undefined {
  const value = values.get(sysctlPath(sysctl));
  if (value === undefined) return undefined;
  switch (sysctl.name) {
    case 'rp_filter':
      return Math.max(value, values.get(sysctlPath({ ...sysctl, link: 'all' })) ?? 0);
    case 'accept_ra':
      return value === 1 && values.get(sysctlPath({ ...sysctl, name: 'forwarding' })) === 1 ? 0 : value;
    default:
      return value;
  }
}

function sysctlDiffers(sysctl: DesiredSysctl, value: number): NetworkConflict {
  const path = sysctlPath(sysctl);
  const link = sysctl.link === 'all' ? {} : { link: sysctl.link };
  return {
    ...link,
    code: 'SysctlDiffers',
    subject: `sysctl ${path}`,
    message: `${path} is in effect ${value}; ${sysctl.value} is needed, or packets are dropped`,
    cure: `sysctl -w ${path}=${sysctl.value}, and write it to a file in /etc/sysctl.d`,
  };
}
