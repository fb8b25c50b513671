/** `node-setup uninstall` over the real kernel and files. */
import { writeSync } from 'node:fs';
import { createLinuxKernel, createNftTrafficKernel } from '@canal/kernel-linux';
import { NETLINK_NETFILTER, openNetlinkConnection } from '@canal/linux-ffi';
import { PROGRAM_FILES } from '../program-files.ts';
import type { UninstallOptions } from './options.ts';
import { formatReport, hasFailed } from './report.ts';
import { uninstall } from './uninstall.ts';

/** Prints the report; false when something failed or is still there. Throws SetupError `pods`. */
export async function runUninstall(options: UninstallOptions): Promise<boolean> {
  const kernel = createLinuxKernel();
  const trafficKernel = createNftTrafficKernel();
  using netlink = openNetlinkConnection();
  using netfilter = openNetlinkConnection({ protocol: NETLINK_NETFILTER });
  let own: string | undefined;
  const ownSha256 = (): string => (own ??= PROGRAM_FILES.hash('/proc/self/exe'));
  try {
    const report = await uninstall(options, { kernel, trafficKernel, netlink, netfilter, ownSha256 });
    writeWhole(formatReport(report, options.output));
    return !hasFailed(report);
  } finally {
    kernel.close();
    trafficKernel.close();
  }
}

/** A report of a node with many pods is longer than a pipe holds. */
function writeWhole(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let offset = 0; offset < bytes.length;) offset += writeSync(1, bytes, offset);
}
