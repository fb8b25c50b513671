/** What a kernel's version tells beyond what it can be asked: older ones take rules without a word and do not keep them. */
interface SilentLack {
  readonly key: 'own-traffic' | 'forged-node';
  /** Error: what is allowed does not pass, or the other way round, as a rule; warning: in a rare case. */
  readonly severity: 'error' | 'warning';
  /** The first version that does it: `5.3`. */
  readonly since: string;
  /** What follows `a kernel before 5.3`. */
  readonly lack: string;
}

const LACKS: readonly (Omit<SilentLack, 'since'> & { readonly major: number; readonly minor: number })[] = [
  {
    major: 5,
    minor: 3,
    key: 'own-traffic',
    severity: 'error',
    lack: 'does not tell the node’s own packets from others, so isolated pods do not hear from their node (probes of the kubelet)',
  },
  {
    major: 5,
    minor: 5,
    key: 'forged-node',
    severity: 'warning',
    lack: 'does not say after routing where a packet came from, so an IPv6 packet from outside with an address of the node counts as the node’s own',
  },
];

/** `release`: of uname(2). The worst first. Kernels of distributions may do more than their version says. */
export function silentLacks(release: string): readonly SilentLack[] {
  const [, major = '', minor = ''] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return LACKS.filter(
    (since) => Number(major) < since.major || (Number(major) === since.major && Number(minor) < since.minor),
  ).map(({ major: sinceMajor, minor: sinceMinor, ...lack }) => ({ ...lack, since: `${sinceMajor}.${sinceMinor}` }));
}
