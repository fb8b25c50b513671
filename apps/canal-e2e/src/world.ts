/**
 * What a scenario may count on. Every world has a cluster behind a kubeconfig. A cluster of `tools/cluster` also lets
 * scenarios command its nodes; with `--node-exec` and `--outside-exec` any cluster offers a part of that. A scenario names
 * what it needs (`scenario(…, { needs })`), and where that is missing it is counted as not offered, with the reason.
 */

export type IpFamily = 'ipv4' | 'ipv6';

export interface CommandResult {
  /** Exit status; 128 + signal when a signal ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly stdin?: string;
  /** Default 30,000; the command is killed then, and the call throws. */
  readonly timeoutMs?: number;
  /** Gives a failure as a result instead of throwing a CommandError. Default false. */
  readonly allowFailure?: boolean;
}

export interface WorldNode {
  readonly name: string;
  /** InternalIP addresses, in the order of the Node object. */
  readonly ips: readonly string[];
  readonly podCidrs: readonly string[];
}

/** Components of a node that can be commanded one by one. */
export type NodeComponent = 'kubelet' | 'containerd' | 'kube-proxy';

/** Runs a command, arguments as given, without a shell. */
export type Exec = (command: readonly string[], options?: CommandOptions) => Promise<CommandResult>;

/** As root on a node, arguments as given, without a shell. */
export type NodeExec = (node: string, command: readonly string[], options?: CommandOptions) => Promise<CommandResult>;

/** A machine on the underlay that is no node and knows no pod network. */
export interface Outside {
  readonly exec: Exec;
  /** Bodies of the answers to that many requests, one connection each; throws when one has none within 5 s. */
  get(url: string, times?: number): Promise<readonly string[]>;
  readonly ips: readonly string[];
  /** The agnhost program there. */
  readonly agnhost: string;
}

/** Power over the machines; a cluster of tools/cluster alone has it. Every call returns when what it names has happened. */
export interface NodeControl {
  /** As root in the node's network, mount and UTS namespaces. */
  readonly exec: NodeExec;
  /** Adds a machine and gives its name; its Node object exists then, not necessarily Ready. */
  addNode(): Promise<string>;
  /** The machine is gone with all that was on it, and its Node object is deleted. */
  removeNode(node: string): Promise<void>;
  /** All processes and links gone, files kept, a new boot id; the kubelet runs again when this returns. */
  reboot(node: string): Promise<void>;
  stop(node: string, component: NodeComponent): Promise<void>;
  start(node: string, component: NodeComponent): Promise<void>;
  restart(node: string, component: NodeComponent): Promise<void>;
  stopApiServer(): Promise<void>;
  startApiServer(): Promise<void>;
  /** Imports a docker-archive into one node, or all. */
  loadImage(tar: string, node?: string): Promise<void>;
  /** What a component has logged, of a node or of `control-plane`. */
  logs(nodeOrControlPlane: string, component: string): Promise<string>;
  /** Folder of this machine in which the node's private directories lie (`/opt/cni/bin` and the like). */
  hostRoot(node: string): Promise<string>;
  /** Programs by name, as paths of this machine: kubectl, ctr, cnitool, agnhost, …; throws for one that is not there. */
  program(name: string): string;
}

/** How canal is to be installed in this world, and what the cluster is like. */
export interface WorldSettings {
  readonly group: string;
  readonly families: readonly IpFamily[];
  /** `unknown` on a cluster that others brought up. */
  readonly kubeProxy: 'iptables' | 'nftables' | 'unknown';
  /** The Backend of net-conf.json, as flannel writes it: `{"Type":"vxlan","DirectRouting":true}`. */
  readonly backend: Readonly<Record<string, unknown>>;
  /** `bridge` has flannel's layout of pods: a bridge cni0. */
  readonly podMode: 'routed' | 'bridge';
  /** Path of what is applied: deploy/canal.yaml, its ConfigMap edited to these settings. */
  readonly manifest: string;
  /** By others, before the scenarios: nothing is applied then. */
  readonly isInstalled: boolean;
}

export interface World {
  readonly kubeconfig: string;
  readonly settings: WorldSettings;
  /** Afresh from the API server, by name. */
  nodes(): Promise<readonly WorldNode[]>;
  kubectl(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** The command line of kubectl with these arguments, for what is to run on. */
  kubectlCommand(args: readonly string[]): readonly string[];
  /** As root on a node. Present in every world with control, and with `--node-exec`. */
  readonly nodeExec?: NodeExec;
  readonly outside?: Outside;
  readonly control?: NodeControl;
}

/** What a scenario can ask for beyond a kubeconfig. */
export type Need = 'node-exec' | 'node-control' | 'outside' | 'ipv4' | 'ipv6';

/** Why a world does not offer what is needed; undefined when it does. */
export function missing(world: World, need: Need): string | undefined {
  switch (need) {
    case 'node-exec':
      return world.nodeExec === undefined ? 'needs commands on nodes (--node-exec)' : undefined;
    case 'node-control':
      return world.control === undefined ? 'needs control of the machines (a cluster of npm run e2e)' : undefined;
    case 'outside':
      return world.outside === undefined ? 'needs a machine outside the cluster (--outside-exec)' : undefined;
    case 'ipv4':
    case 'ipv6':
      return world.settings.families.includes(need) ? undefined : `the cluster has no ${need} pods`;
  }
}
