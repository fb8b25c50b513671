import { join } from 'node:path';
import { LabError } from './lab-error.ts';
import { isLabName, LAB_NAME } from './lab-spec.ts';

/** Where all labs keep their files: gone after a reboot, as the namespaces are. */
export const DEFAULT_STATE_ROOT = '/run/canal-lab';

/** The files of one lab. Everything is under `root`, so that removing it leaves nothing. */
export interface LabPaths {
  readonly root: string;
  readonly lock: string;
  readonly state: string;
  readonly processes: string;
  readonly api: {
    readonly root: string;
    readonly database: string;
    readonly secrets: string;
    readonly ready: string;
    /** HTTP without TLS, for the lab's own commands: the directory lets in root alone. */
    readonly socket: string;
    readonly log: string;
  };
  readonly adminApi: {
    readonly root: string;
    /** URL, written by the admin API when it serves. */
    readonly address: string;
    /** What its clients show. */
    readonly token: string;
    /** The same, with whom it stands for: what the admin API reads. */
    readonly tokens: string;
    /** PEM of whom clients trust, written by the admin API when it starts. */
    readonly authority: string;
    readonly kubeconfig: string;
    readonly log: string;
  };
  /** For canalctl and kubectl on this machine. */
  readonly kubeconfig: string;
}

/** Throws LabError `invalid` for what is no lab's name: commands as root remove what is below these paths. */
export function labPaths(stateRoot: string, lab: string): LabPaths {
  if (!isLabName(lab)) {
    throw new LabError('invalid', `${JSON.stringify(lab)} is no name of a lab`, { hint: `expected ${LAB_NAME}` });
  }
  const root = join(stateRoot, lab);
  const api = join(root, 'api');
  const adminApi = join(root, 'admin-api');
  return {
    root,
    lock: join(root, 'lock'),
    state: join(root, 'lab.json'),
    processes: join(root, 'processes'),
    api: {
      root: api,
      database: join(api, 'objects.sqlite'),
      secrets: join(api, 'secrets.json'),
      ready: join(api, 'ready.json'),
      socket: join(api, 'socket'),
      log: join(api, 'api-server.log'),
    },
    adminApi: {
      root: adminApi,
      address: join(adminApi, 'address'),
      token: join(adminApi, 'token'),
      tokens: join(adminApi, 'tokens'),
      authority: join(adminApi, 'ca.pem'),
      kubeconfig: join(adminApi, 'kubeconfig'),
      log: join(adminApi, 'admin-api.log'),
    },
    kubeconfig: join(root, 'kubeconfig'),
  };
}

/** The directories that a node would have at the paths in the comments. */
export interface NodePaths {
  readonly root: string;
  /** /run/flannel/subnet.env */
  readonly subnetFile: string;
  /** /etc/cni/net.d */
  readonly cniConfDir: string;
  /** /opt/cni/bin */
  readonly cniBinDir: string;
  /** /var/lib/cni: the runtime's result cache is in `results` below it. */
  readonly cniCacheDir: string;
  /** /var/lib/cni/networks */
  readonly cniDataDir: string;
  /** /var/lib/canal */
  readonly cniStateDir: string;
  /** /run/canal/policy.sock */
  readonly policySocket: string;
  /** /run/canal/flanneld.sock */
  readonly nodeSocket: string;
  /** What the container runtime would know of its sandboxes. */
  readonly sandboxes: string;
  readonly netConf: string;
  readonly kubeconfig: string;
  /** Of flanneld. */
  readonly log: string;
  readonly policyLog: string;
}

export function nodePaths(paths: LabPaths, node: string): NodePaths {
  const root = join(paths.root, 'nodes', node);
  return {
    root,
    subnetFile: join(root, 'run/flannel/subnet.env'),
    cniConfDir: join(root, 'etc/cni/net.d'),
    cniBinDir: join(root, 'opt/cni/bin'),
    cniCacheDir: join(root, 'var/lib/cni'),
    cniDataDir: join(root, 'var/lib/cni/networks'),
    cniStateDir: join(root, 'var/lib/canal'),
    policySocket: join(root, 'run/canal/policy.sock'),
    nodeSocket: join(root, 'run/canal/flanneld.sock'),
    sandboxes: join(root, 'sandboxes'),
    netConf: join(root, 'etc/kube-flannel/net-conf.json'),
    kubeconfig: join(root, 'etc/kube-flannel/kubeconfig'),
    log: join(root, 'flanneld.log'),
    policyLog: join(root, 'policy-agent.log'),
  };
}
