import { release } from 'node:os';
import { isNotSupported, type NetlinkConnection, newLink } from 'netlink-ts';
import { createTestNetns } from './test-netns.ts';

/** What the kernel said about a feature, for `test.skipIf(!feature.available)`. */
export interface KernelFeature {
  readonly name: string;
  readonly available: boolean;
  /** Why not. */
  readonly reason: string | undefined;
}

export interface KernelFeatureProbe {
  readonly name: string;
  /** `5.3`: from this version on the kernel always has it, so its absence is a failure and no reason to skip. */
  readonly since?: string;
  /** Uses the feature in a namespace of its own; throws if the kernel refuses. */
  readonly use: (netlink: NetlinkConnection) => void;
}

/**
 * Tries the feature. Only the kernel's own "not supported" makes it unavailable: any other error, and absence in a kernel
 * that is new enough, is thrown, so that a broken test does not pass as a skipped one.
 */
export function probeKernelFeature(probe: KernelFeatureProbe): KernelFeature {
  using netns = createTestNetns('probe');
  try {
    probe.use(netns.netlink);
    return { name: probe.name, available: true, reason: undefined };
  } catch (error) {
    if (!isNotSupported(error)) throw error;
    if (probe.since !== undefined && isAtLeast(release(), probe.since)) {
      throw new Error(`kernel ${release()} must have ${probe.name}, present since ${probe.since}`, { cause: error });
    }
    return { name: probe.name, available: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** A device kind, which may be compiled out of any kernel. */
export function probeLinkKind(kind: string): KernelFeature {
  return probeKernelFeature({
    name: `device kind ${kind}`,
    use: (netlink) => netlink.execute(newLink({ name: 'probe0', info: { kind } })),
  });
}

function isAtLeast(running: string, wanted: string): boolean {
  const parts = (version: string): number[] => version.split(/[.-]/).slice(0, 2).map(Number);
  const [runningMajor = 0, runningMinor = 0] = parts(running);
  const [wantedMajor = 0, wantedMinor = 0] = parts(wanted);
  return runningMajor > wantedMajor || (runningMajor === wantedMajor && runningMinor >= wantedMinor);
}
