/** What this kernel cannot do for policy, as problems of the node. */
import type { PolicyKernel, PolicyLimit } from '@canal/kernel-port';
import { silentLacks } from '@canal/policy-nft';
import type { Complaint } from '@canal/telemetry';

const COMPLAINT: Readonly<Record<PolicyLimit['code'], Pick<Complaint, 'severity' | 'event'>>> = {
  'arp-unguarded': { severity: 'warning', event: 'ArpNotGuarded' },
  'bridge-isolated': { severity: 'error', event: 'BridgePodsIsolated' },
};

export function limitComplaints(kernel: Pick<PolicyKernel, 'limits'>): readonly Complaint[] {
  return kernel.limits().map(({ code, message }) => ({ key: code, ...COMPLAINT[code], message }));
}

/** `release`: of uname(2). */
export function ageComplaints(release: string): readonly Complaint[] {
  return silentLacks(release).map(({ key, severity, since, lack }) => ({
    key,
    severity,
    event: 'KernelTooOld',
    message: `Linux ${release}: a kernel before ${since} ${lack}. Cure: a newer kernel, or one into which your distribution has taken that`,
  }));
}
