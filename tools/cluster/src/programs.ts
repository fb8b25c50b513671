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

/** The folder of each plugin in its repository. */
const PLUGIN_KIND: Readonly<Record<(typeof CNI_PLUGINS)[number], string>> = {
  loopback: 'main',
  bridge: 'main',
  ptp: 'main',
  'host-local': 'ipam',
  portmap: 'meta',
  bandwidth: 'meta',
};

export type Program =
  KubernetesProgram | 'etcd' | 'containerd' | 'containerd-shim-runc-v2' | 'ctr' | 'cnitool' | 'coredns';

/** A program and the Go package that it is made from. */
export interface Target {
  readonly program: string;
  readonly package: string;
}

/** A folder of Go pins and what is built from it. */
export interface GoModule {
  readonly folder: string;
  /** The module whose version names the folder's content. */
  readonly pinned: string;
  readonly tags: string;
  /** `-ldflags`, given the pinned version ("v1.36.3"). */
  readonly ldflags: (version: string) => string;
  /** Groups of programs; those of a group are built by one run of the compiler. */
  readonly steps: readonly (readonly Target[])[];
}

const strip = (): string => '-s -w';

/** The modules of a cluster, the quickest first. */
export function goModules(minor: KubernetesMinor): readonly GoModule[] {
  const containerd = 'github.com/containerd/containerd/v2';
  const plugins = 'github.com/containernetworking/plugins/plugins';
  const kubernetes = (...programs: readonly KubernetesProgram[]): readonly Target[] =>
    programs.map((program) => ({
      program,
      package: `k8s.io/kubernetes/${program === 'agnhost' ? 'test/images' : 'cmd'}/${program}`,
    }));
  return [
    {
      ...simple('etcd', 'go.etcd.io/etcd/server/v3'),
      steps: [[{ program: 'etcd', package: 'go.etcd.io/etcd/server/v3' }]],
    },
    {
      ...simple('containerd', containerd),
      tags: 'no_btrfs,no_devmapper,no_zfs',
      steps: [
        ['containerd', 'containerd-shim-runc-v2', 'ctr'].map((program) => ({
          program,
          package: `${containerd}/cmd/${program}`,
        })),
      ],
    },
    {
      ...simple('cni-plugins', 'github.com/containernetworking/plugins'),
      steps: [
        CNI_PLUGINS.map((program) => ({
          program,
          package: `${plugins}/${PLUGIN_KIND[program]}/${program}`,
        })),
      ],
    },
    {
      ...simple('cnitool', 'github.com/containernetworking/cni'),
      steps: [
        [
          {
            program: 'cnitool',
            package: 'github.com/containernetworking/cni/cnitool',
          },
        ],
      ],
    },
    {
      ...simple('coredns', 'github.com/coredns/coredns'),
      steps: [[{ program: 'coredns', package: 'github.com/coredns/coredns' }]],
    },
    {
      ...simple(`kubernetes-${minor}`, 'k8s.io/kubernetes'),
      ldflags: kubernetesLdflags,
      steps: [
        kubernetes('kube-apiserver', 'kubectl'),
        kubernetes('kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy', 'agnhost'),
      ],
    },
  ];
}

/** Of no cluster: it tries the alert rules of deploy/prometheus. Without service discoveries, which are most of its packages. */
export const PROMTOOL: GoModule = {
  ...simple('prometheus', 'github.com/prometheus/prometheus'),
  tags: 'remove_all_sd',
  steps: [[{ program: 'promtool', package: 'github.com/prometheus/prometheus/cmd/promtool' }]],
};

function simple(folder: string, pinned: string): Omit<GoModule, 'steps'> {
  return { folder, pinned, tags: '', ldflags: strip };
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
  const recipe = JSON.stringify([module.tags, module.ldflags(version), arch]);
  const hash = createHash('sha256').update(goMod).update(goSum).update(recipe).digest('hex');
  return `${module.folder}-${hash.slice(0, 12)}`;
}
