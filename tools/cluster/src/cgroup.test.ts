import { describe, expect, test } from 'vitest';

import { parseHierarchies, used } from './cgroup.ts';

const V1 = `tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup /var/lib/x/memory cgroup rw,memory 0 0
`;
const UNIFIED = 'cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n';
const V2 = 'cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n';

describe('hierarchies', () => {
  const first = [
    { path: '/sys/fs/cgroup/memory', version: 1 },
    { path: '/sys/fs/cgroup/systemd', version: 1 },
  ] as const;

  test('version 1: each controller once, mounts elsewhere left out', () => {
    expect(parseHierarchies(V1)).toEqual(first);
    expect(used(parseHierarchies(V1))).toEqual(first);
  });

  test('hybrid: the version-2 one is cleaned but not used', () => {
    expect(parseHierarchies(V1 + UNIFIED)).toEqual([...first, { path: '/sys/fs/cgroup/unified', version: 2 }]);
    expect(used(parseHierarchies(V1 + UNIFIED))).toEqual(first);
  });

  test('version 2 alone', () => {
    expect(used(parseHierarchies(V2))).toEqual([{ path: '/sys/fs/cgroup', version: 2 }]);
  });
});
