/** Pods of the agnhost image on nodes of one's choice, in a namespace of the scenario's own. */
import type { CommandOptions, CommandResult, IpFamily, World } from './world.ts';

export const AGNHOST_IMAGE = 'registry.k8s.io/e2e-test-images/agnhost:2.53';

export interface PodSpec {
  readonly name: string;
  /** Node to run on. Default: where the scheduler puts it. */
  readonly node?: string;
  readonly hostNetwork?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  /** Arguments of agnhost. Default: `netexec` on the two ports below. */
  readonly args?: readonly string[];
  /** Ports of netexec; hostNetwork pods on one node need different ones. Defaults 8080 and 8081. */
  readonly httpPort?: number;
  readonly udpPort?: number;
}

export interface Pod {
  readonly name: string;
  readonly namespace: string;
  readonly node: string;
  readonly hostNetwork: boolean;
  /** In the order of the Pod's status. */
  readonly ips: readonly string[];
  readonly httpPort: number;
  readonly udpPort: number;
  /** The address of a family; throws when it has none. */
  ip(family?: IpFamily): string;
  /** kubectl exec, e.g. `['/agnhost', 'connect', '10.0.0.1:80', '--timeout=2s']`. */
  exec(command: readonly string[], options?: CommandOptions): Promise<CommandResult>;
}

export interface Pods {
  /** The scenario's namespace, made on first use. */
  namespace(): Promise<string>;
  /** Creates them in one request and waits until all are Ready. */
  create(specs: readonly PodSpec[], options?: { readonly timeoutMs?: number }): Promise<readonly Pod[]>;
  /** Applies any object, as JSON, in the scenario's namespace. */
  apply(...objects: readonly object[]): Promise<void>;
  /** Deletes them and waits until they are gone from the API (grace period 0 s: they hold nothing). */
  delete(pods: readonly Pod[], options?: { readonly timeoutMs?: number }): Promise<void>;
  /** Deletes the namespace; with `--keep` it stays. */
  close(): Promise<void>;
}
