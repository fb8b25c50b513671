/** The Job that takes canal off one node: `node-setup uninstall` over the host's root. */
import type { KubeObject } from '@canal/store-port';

export const JOB_APP = 'canal-uninstall';
export const JOB_SELECTOR = `k8s-app=${JOB_APP}`;
/** Annotation of Job and Pod: a node's name may be longer than a label's value. */
const NODE_ANNOTATION = 'canal-cni/node';

export interface NodeJob {
  readonly namespace: string;
  readonly node: string;
  readonly image: string;
  readonly imagePullPolicy?: string | undefined;
  readonly imagePullSecrets?: unknown;
  /** Directories of the container runtime, as the host says them. */
  readonly binDir?: string | undefined;
  readonly confDir?: string | undefined;
  readonly dryRun: boolean;
  readonly timeoutSeconds: number;
}

export function renderNodeJob(job: NodeJob): KubeObject {
  const labels = { 'k8s-app': JOB_APP, 'app.kubernetes.io/part-of': 'canal' };
  const annotations = { [NODE_ANNOTATION]: job.node };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: jobName(job.node), namespace: job.namespace, labels, annotations },
    spec: {
      backoffLimit: 0,
      activeDeadlineSeconds: job.timeoutSeconds,
      // If this command dies, the cluster clears up after it.
      ttlSecondsAfterFinished: 3600,
      template: { metadata: { labels, annotations }, spec: podSpec(job) },
    },
  };
}

function podSpec(job: NodeJob): object {
  return {
    // Past the scheduler: the node is not ready, cordoned or tainted as soon as its network goes.
    nodeName: job.node,
    tolerations: [{ operator: 'Exists' }],
    priorityClassName: 'system-node-critical',
    hostNetwork: true,
    dnsPolicy: 'Default',
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 5,
    securityContext: { runAsUser: 0, runAsGroup: 0, seccompProfile: { type: 'RuntimeDefault' } },
    ...(job.imagePullSecrets === undefined ? {} : { imagePullSecrets: job.imagePullSecrets }),
    containers: [
      {
        name: 'uninstall',
        image: job.image,
        imagePullPolicy: job.imagePullPolicy ?? 'IfNotPresent',
        args: uninstallArguments(job),
        securityContext: {
          privileged: false,
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          // Links, routes, nftables, sysctls below net/; directories of the runtime that belong to another user.
          capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'DAC_OVERRIDE'] },
          seLinuxOptions: { type: 'spc_t' },
        },
        volumeMounts: [{ name: 'host', mountPath: '/host' }],
      },
    ],
    volumes: [{ name: 'host', hostPath: { path: '/', type: 'Directory' } }],
  };
}

function uninstallArguments({ binDir, confDir, dryRun }: NodeJob): readonly string[] {
  return [
    'node-setup',
    'uninstall',
    '--host-root=/host',
    ...(binDir === undefined ? [] : [`--bin-dir=${binDir}`]),
    ...(confDir === undefined ? [] : [`--conf-dir=${confDir}`]),
    '--output=json',
    // Whoever runs this command has been told of the pods and has agreed.
    dryRun ? '--dry-run' : '--force',
  ];
}

/** A pod's label holds the Job's name: at most 63 characters, and node names may have 253. */
function jobName(node: string): string {
  const hash = Bun.CryptoHasher.hash('sha256', node, 'hex').slice(0, 8);
  return `${JOB_APP}-${node.slice(0, 30).replace(/[^a-z0-9]+$/, '')}-${hash}`.replaceAll('.', '-');
}

/** What to run by hand on a node that no Job reaches. */
export function commandByHand({ binDir, confDir }: Pick<NodeJob, 'binDir' | 'confDir'>): string {
  const flags = [
    ...(binDir === undefined || binDir === DEFAULT_BIN_DIR ? [] : [`--bin-dir=${binDir}`]),
    ...(confDir === undefined || confDir === '/etc/cni/net.d' ? [] : [`--conf-dir=${confDir}`]),
  ];
  return [`${binDir ?? DEFAULT_BIN_DIR}/canal node-setup uninstall --force`, ...flags].join(' ');
}

const DEFAULT_BIN_DIR = '/opt/cni/bin';
