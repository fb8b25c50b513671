/** What this kernel cannot do for policy, as problems of the node. */
import type { PolicyKernel, PolicyLimit } from '@canal/kernel-port';
import type { Complaint } from '@canal/telemetry';

const COMPLAINT: Readonly<Record<PolicyLimit['code'], Pick<Complaint, 'severity' | 'event'>>> = {
  'arp-unguarded': { severity: 'warning', event: 'ArpNotGuarded' },
  'bridge-isolated': { severity: 'error', event: 'BridgePodsIsolated' },
};

export function limitComplaints(kernel: Pick<PolicyKernel, 'limits'>): readonly Complaint[] {
  return kernel.limits().map(({ code, message }) => ({ key: code, ...COMPLAINT[code], message }));
}

/** What older kernels take without a word and do not do, by the first version that does. */
const SILENT_BEFORE: readonly (Omit<Complaint, 'event'> & { readonly major: number; readonly minor: number })[] = [
  {
    major: 5,
    minor: 3,
    key: 'own-traffic',
    severity: 'error',
    message:
      'does not tell the node’s own packets from others, so isolated pods do not hear from their node (probes of the kubelet)',
  },
  {
    major: 5,
    minor: 5,
    key: 'forged-node',
    severity: 'warning',
    message:
      'does not say after routing where a packet came from, so an IPv6 packet from outside with an address of the node counts as the node’s own',
  },
];

/** `release`: of uname(2). Kernels of distributions may do more than their version says. */
export function ageComplaints(release: string): readonly Complaint[] {
  const [, major = '', minor = ''] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return SILENT_BEFORE.filter(
    (since) => Number(major) < since.major || (Number(major) === since.major && Number(minor) < since.minor),
  ).map(({ major: sinceMajor, minor: sinceMinor, key, severity, message }) => ({
    key,
    severity,
    event: 'KernelTooOld',
    message: `Linux ${release}: a kernel before ${sinceMajor}.${sinceMinor} ${message}. Cure: a newer kernel, or one into which your distribution has taken that`,
  }));
}
