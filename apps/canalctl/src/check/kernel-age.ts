/** What a kernel's version tells beyond what it can be asked: older ones take rules without a word and do not keep them. */
import { type Observation, ok, trouble } from './observation.ts';

/** By the first version that does it; kernels of distributions may do more than their version says. */
const SINCE = [
  {
    version: [5, 3],
    verdict: 'fail',
    lack: 'does not tell the node’s own packets from others: isolated pods do not hear from their node (probes of the kubelet)',
  },
  {
    version: [5, 5],
    verdict: 'warn',
    lack: 'does not say after routing where a packet came from: an IPv6 packet from outside with an address of the node counts as the node’s own',
  },
] as const;

/** `release`: of uname(2). */
export function kernelAge(release: string): Observation {
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  const [id, what, found] = ['kernel', 'kernel', `Linux ${release}`];
  const missing = SINCE.find(
    ({ version: [first, second] }) => Number(major) < first || (Number(major) === first && Number(minor) < second),
  );
  if (missing === undefined) return ok(id, what, found);
  const { version, verdict, lack } = missing;
  const next = `Linux ${version.join('.')} or later, or one into which your distribution has taken that`;
  return trouble(verdict, { id, what, found }, `a kernel before ${version.join('.')} ${lack}`, next);
}
