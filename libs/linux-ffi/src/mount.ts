/** Mounts, as far as namespaces and tests need them. */
import { check, cString, libc } from './libc.ts';
import { isLinuxError } from './linux-error.ts';

/** mount(2) flags. */
export const MS = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  REMOUNT: 32,
  BIND: 0x1000,
  REC: 0x4000,
  PRIVATE: 0x4_0000,
  SLAVE: 0x8_0000,
  SHARED: 0x10_0000,
} as const;

/** umount2(2): take the mount away now, free it when nobody uses it any more. */
export const MNT_DETACH = 2;

/** mount(2). Undefined stands for NULL. */
export function mount(
  source: string | undefined,
  target: string,
  type: string | undefined,
  flags: number,
  data?: string,
): void {
  const text = (value: string | undefined): Uint8Array | null => (value === undefined ? null : cString(value));
  check('mount', libc().mount(text(source), cString(target), text(type), flags, text(data)), target);
}

/** umount2(2). */
export function unmount(target: string, flags = 0): void {
  check('umount', libc().umount2(cString(target), flags), target);
}

/** Makes a file or directory visible at a second place. */
export function bindMount(source: string, target: string): void {
  mount(source, target, undefined, MS.BIND);
}

/** Makes the directory a shared mount; it becomes a mount of its own first if it is none. */
export function shareMount(directory: string): void {
  try {
    mount(undefined, directory, undefined, MS.SHARED | MS.REC);
  } catch (error) {
    if (!isLinuxError(error, 'EINVAL')) throw error;
    mount(directory, directory, undefined, MS.BIND | MS.REC);
    mount(undefined, directory, undefined, MS.SHARED | MS.REC);
  }
}
