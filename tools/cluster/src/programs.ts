/**
 * The programs of a cluster and the Go modules that pin them. Each module is a folder of `tools/cluster/go` with a go.mod
 * and go.sum of its own, because their requirements disagree. Built programs live outside the clone, in a folder named
 * after a hash of the pins and flags, so that every clone on the machine finds them built.
 */
import { createHash } from 'node:crypto';

export const KUBERNETES_MINORS = ['1.36', '1.35', '1.34'] as const;
export type KubernetesMinor = (typeof KUBERNETES_MINORS)[number];

type KubernetesProgram =
  'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler' | 'kubelet' | 'kube-proxy' | 'kubectl' | 'agnhost';

export const CNI_PLUGINS = ['loopback', 'bridge', 'ptp', 'host-local', 'portmap', 'bandwidth'] as const;

export type Program =
  KubernetesProgram | 'etcd' | 'containerd' | 'containerd-shim-runc-v2' | 'ctr' | 'cnitool' | 'coredns';

/** One run of `go build`: the programs that it makes and what it is called with. */
export interface BuildStep {
  /** Shown as progress. */
  readonly title: string;
  readonly programs: readonly string[];
  readonly packages: readonly string[];
  /** File name of the one program, when it is not the last part of its package's path. */
  readonly output?: string;
}

/** A folder of Go pins and what is built from it. */
export interface GoModule {
  readonly folder: string;
  /** The module whose version names the folder's content. */
  readonly pinned: string;
  readonly tags: string;
  /** `-ldflags`, given the pinned version ("v1.36.3"). */
  readonly ldflags: (version: string) => string;
  readonly steps: readonly BuildStep[];
}

const strip = (): string => '-s -w';

function kubernetesModule(minor: KubernetesMinor): GoModule {
  const step = (...programs: readonly KubernetesProgram[]): BuildStep => ({
    title: programs.join(', '),
    programs,
    packages: programs.map(
      (program) => `k8s.io/kubernetes/${program === 'agnhost' ? 'test/images' : 'cmd'}/${program}`,
    ),
  });
  return {
    folder: `kubernetes-${minor}`,
    pinned: 'k8s.io/kubernetes',
    tags: '',
    ldflags: kubernetesLdflags,
    steps: [
      step('kube-apiserver', 'kubectl'),
      step('kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy', 'agnhost'),
    ],
  };
}

/** The modules of a cluster, the quickest first. */
export function goModules(minor: KubernetesMinor): readonly GoModule[] {
  const simple = (folder: string, pinned: string, steps: readonly BuildStep[], tags = ''): GoModule => ({
    folder,
    pinned,
    tags,
    ldflags: strip,
    steps,
  });
  const containerd = 'github.com/containerd/containerd/v2';
  const containerdPrograms = ['containerd', 'containerd-shim-runc-v2', 'ctr'];
  return [
    simple('etcd', 'go.etcd.io/etcd/server/v3', [
      { title: 'etcd', programs: ['etcd'], packages: ['go.etcd.io/etcd/server/v3'], output: 'etcd' },
    ]),
    simple(
      'containerd',
      containerd,
      [
        {
          title: containerdPrograms.join(', '),
          programs: containerdPrograms,
          packages: containerdPrograms.map((program) => `${containerd}/cmd/${program}`),
        },
      ],
      'no_btrfs,no_devmapper,no_zfs',
    ),
    simple('cni-plugins', 'github.com/containernetworking/plugins', [
      { title: 'CNI plugins', programs: CNI_PLUGINS, packages: ['tool'] },
    ]),
    simple('cnitool', 'github.com/containernetworking/cni', [
      { title: 'cnitool', programs: ['cnitool'], packages: ['tool'] },
    ]),
    simple('coredns', 'github.com/coredns/coredns', [
      { title: 'coredns', programs: ['coredns'], packages: ['github.com/coredns/coredns'], output: 'coredns' },
    ]),
    kubernetesModule(minor),
  ];
}

/** Kubernetes' programs call themselves v0.0.0-master unless the linker writes the version into them. */
function kubernetesLdflags(version: string): string {
  const [major, minor] = version.replace(/^v/, '').split('.');
  const packages = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'];
  const variables = packages.flatMap((path) => [
    `-X ${path}.gitVersion=${version}`,
    `-X ${path}.gitMajor=${major ?? ''}`,
    `-X ${path}.gitMinor=${minor ?? ''}`,
  ]);
  return `-s -w ${variables.join(' ')}`;
}

/** The version ("v1.36.3") that a go.mod requires of a module, or undefined. */
export function requiredVersion(goMod: string, module: string): string | undefined {
  for (const line of goMod.split('\n')) {
    const [path, version] = line
      .replace(/\/\/.*/, '')
      .replace(/^\s*require\s/, '')
      .trim()
      .split(/\s+/);
    if (path === module && version?.startsWith('v') === true) return version;
  }
  return undefined;
}

/** Name of the folder that a module's built programs are in: changes with every pin and flag. */
export function buildKey(module: GoModule, goMod: string, goSum: string, arch: string): string {
  const version = requiredVersion(goMod, module.pinned) ?? '';
  const recipe = JSON.stringify([module.tags, module.ldflags(version), module.steps, arch]);
  const hash = createHash('sha256').update(goMod).update(goSum).update(recipe).digest('hex');
  return `${module.folder}-${hash.slice(0, 12)}`;
}
