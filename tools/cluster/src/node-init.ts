/** The script that makes a new mount and UTS namespace into a node; it ends as the process that keeps them. */

/** Paths of a node that are its own. Kept over a reboot, but for `run`. */
export const PRIVATE_FOLDERS = [
  'run',
  'etc/cni',
  'opt/cni',
  'var/lib/kubelet',
  'var/lib/cni',
  'var/lib/containerd',
  'var/lib/canal',
  'var/log/pods',
  'var/log/containers',
] as const;

/** Settings of the machine that a kubelet wants to have: it finds them so and leaves the machine's alone. */
const KUBELET_SYSCTLS: Readonly<Record<string, string>> = {
  'vm/overcommit_memory': '1',
  'vm/panic_on_oom': '0',
  'kernel/panic': '10',
  'kernel/panic_on_oops': '1',
  'kernel/keys/root_maxkeys': '1000000',
  'kernel/keys/root_maxbytes': '25000000',
};

export interface NodeInit {
  readonly name: string;
  readonly home: string;
  /** File that is written when all is done. */
  readonly ready: string;
  /** Names and addresses for /etc/hosts. */
  readonly nodes: readonly (readonly [string, readonly string[]])[];
}

export function nodeInitScript({ name, home, ready, nodes }: NodeInit): string {
  const sysctls = Object.entries(KUBELET_SYSCTLS).map(([path, value]) => {
    const file = `${home}/sysctl/${path.replaceAll('/', '.')}`;
    return `[ ! -e /proc/sys/${path} ] || { echo ${value} > ${file}; mount --bind ${file} /proc/sys/${path}; }`;
  });
  const hosts = [
    '127.0.0.1 localhost',
    '::1 localhost',
    ...nodes.flatMap(([node, ips]) => ips.map((ip) => `${ip} ${node}`)),
  ];
  return `hostname ${name}
# This copy of the mounts must not keep other network namespaces alive.
awk '/ - nsfs /{print $5}' /proc/self/mountinfo | while read -r path; do umount -l "$path" 2>/dev/null || :; done
# A fresh sysfs shows this namespace's devices; the cgroups are carried over.
mkdir -p ${home}/cgroup
mount --rbind /sys/fs/cgroup ${home}/cgroup
mount -t sysfs sysfs /sys
mount --rbind ${home}/cgroup /sys/fs/cgroup
umount -l ${home}/cgroup
${PRIVATE_FOLDERS.map((folder) => `mount --bind ${home}/root/${folder} /${folder}`).join('\n')}
${sysctls.join('\n')}
mount --bind ${home}/boot_id /proc/sys/kernel/random/boot_id
cat > ${home}/config/hosts <<'HOSTS'
${hosts.join('\n')}
HOSTS
mount --bind ${home}/config/hosts /etc/hosts
mount --make-rshared /
touch ${ready}
exec sleep infinity
`;
}
