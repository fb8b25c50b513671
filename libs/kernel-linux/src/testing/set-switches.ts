/**
 * Program of `read-only-sysctl.ktest.ts`: sets switches in the namespace named by its first argument, through the mount of
 * /proc/sys/net that the second may name, and prints what came of it.
 */
import type { DesiredSysctl } from '@canal/model';
import { parseInterfaceName, unwrap } from 'net-types';
import { writeSync } from 'node:fs';
import { createLinuxKernel } from '../linux-kernel.ts';

const link = unwrap(parseInterfaceName('eth0'));
const SWITCHES: readonly DesiredSysctl[] = [
  { link, family: 4, name: 'forwarding', value: 1, enforce: true },
  { link, family: 4, name: 'rp_filter', value: 2, enforce: true },
  { link, family: 6, name: 'accept_ra', value: 0, enforce: true },
  { link: 'all', family: 4, name: 'forwarding', value: 1, enforce: true },
];

const kernel = createLinuxKernel({
  netns: process.argv[2] ?? '',
  ...(process.argv[3] !== undefined && { sysctlNetDirectory: process.argv[3] }),
});
const features = await kernel.features();
const results = await kernel.apply(SWITCHES.map((sysctl) => ({ type: 'sysctl-set', sysctl })));
writeSync(1, JSON.stringify({ features, codes: results.map((result) => (result.ok ? 'ok' : result.error.code)) }));
