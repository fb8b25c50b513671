/** What a machine must have for a lab, tried out rather than assumed: root, namespaces, the kinds of devices. */
import { accessSync, constants } from 'node:fs';
import { createNetns, isLinuxError, netnsIdentity, openNetlinkConnection, removeNetns } from '@canal/linux-ffi';
import { newLink, NetlinkError, type LinkInput, type NetlinkConnection } from 'netlink-ts';
import { LabError } from './lab-error.ts';
import { type LabSpec } from './lab-spec.ts';
import { probePath, removeDeadProbes } from './namespaces.ts';

/** Throws LabError `not-supported` that says what is missing and how to get it. */
export function checkMachine(spec: LabSpec, { binary }: { readonly binary: string }): void {
  if (process.platform !== 'linux') throw missing('Linux', 'the lab is made of Linux network namespaces');
  if (process.getuid?.() !== 0) throw missing('root', 'run it as root: sudo canalctl lab …');
  checkBinary(binary);
  removeDeadProbes();
  const probe = probePath();
  try {
    createNetns(probe);
  } catch (cause) {
    if (!isLinuxError(cause, 'EPERM', 'EACCES', 'EINVAL', 'ENOSYS')) throw cause;
    const hint = 'root in a container needs CAP_SYS_ADMIN (docker run --privileged); the kernel needs CONFIG_NET_NS';
    throw missing('the right to make network namespaces', hint, cause);
  }
  try {
    using rtnetlink = openNetlinkConnection({ netns: probe });
    for (const device of devicesOf(spec)) checkDevice(rtnetlink, device);
  } finally {
    removeNetns(probe);
  }
  if (netnsIdentity(probe) !== undefined) throw new LabError('failed', `${probe} cannot be removed`);
}

function checkBinary(binary: string): void {
  try {
    accessSync(binary, constants.X_OK);
  } catch (cause) {
    throw missing(`the canal binary (${binary})`, 'build it: npm run build', cause);
  }
}

interface NeededDevice {
  readonly link: LinkInput;
  readonly module: string;
}

function devicesOf(spec: LabSpec): readonly NeededDevice[] {
  const vxlan = { id: 1, port: 8472 };
  return [
    {
      link: { name: 'probe0', info: { kind: 'veth', veth: { peer: { name: 'probe1' } } } },
      module: 'veth',
    },
    { link: { name: 'probe2', info: { kind: 'bridge' } }, module: 'bridge' },
    ...(spec.backend === 'vxlan'
      ? [{ link: { name: 'probe3', info: { kind: 'vxlan', vxlan } }, module: 'vxlan' }]
      : []),
  ];
}

function checkDevice(rtnetlink: NetlinkConnection, { link, module }: NeededDevice): void {
  try {
    rtnetlink.execute(newLink(link));
  } catch (cause) {
    if (!(cause instanceof NetlinkError) || (cause.code !== 'EOPNOTSUPP' && cause.code !== 'ENOTSUP')) throw cause;
    const hint = `load it with "modprobe ${module}", or use a kernel that has CONFIG_${module.toUpperCase()}`;
    throw missing(`the kernel's ${module} devices`, hint, cause);
  }
}

function missing(what: string, hint: string, cause?: unknown): LabError {
  return new LabError('not-supported', `this machine lacks ${what}`, { hint, cause });
}
