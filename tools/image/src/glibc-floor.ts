/** The oldest C library that the binary starts on: what the hosts need, since the plugin runs there and not in the image. */
import type { ElfNeeds } from './elf.ts';

/** RHEL 7, Amazon Linux 2; also the first version with arm64. */
export const GLIBC_FLOOR = '2.17';

/** Symbol versions that a host with exactly glibc 2.17 lacks, as "libc.so.6 GLIBC_2.34"; empty when it starts there. */
export function newerThanFloor(needs: ElfNeeds): readonly string[] {
  return [...needs.versions].flatMap(([library, versions]) =>
    versions.filter((version) => isNewer(version)).map((version) => `${library} ${version}`),
  );
}

/** Anything but a numbered GLIBC version is unknown to every host: another library's, or GLIBC_PRIVATE. */
function isNewer(version: string): boolean {
  const number = /^GLIBC_([\d.]+)$/.exec(version)?.[1];
  return number === undefined || compareVersions(number, GLIBC_FLOOR) > 0;
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
