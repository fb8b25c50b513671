/**
 * The OCI spec that a node's containers are made from: containerd's own default, plus a hook that lays the node's boot id
 * over the machine's. Each container mounts a /proc of its own, in which the node's mount over that file is not seen; on
 * a machine of its own the two are the same.
 */

interface OciSpec {
  readonly process?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** `spec` is what `ctr oci spec` prints, `bootId` the file with the node's boot id. */
export function baseRuntimeSpec(spec: string, bootId: string): string {
  const parsed = JSON.parse(spec) as OciSpec;
  // The CRI plugin sets no limits; the default of `ctr` does.
  const { rlimits: _, ...process } = parsed.process ?? {};
  const script = [
    // The state that a hook is given on its standard input names the bundle.
    `bundle=$(sed -n 's/.*"bundle":"\\([^"]*\\)".*/\\1/p')`,
    `target=$bundle/rootfs/proc/sys/kernel/random/boot_id`,
    `[ ! -e "$target" ] || mount --bind ${bootId} "$target"`,
  ].join('\n');
  const hook = { path: '/bin/sh', args: ['sh', '-c', script], env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'] };
  return JSON.stringify({ ...parsed, process, hooks: { createContainer: [hook] } });
}
