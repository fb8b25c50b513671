/**
 * A node for tests of the plugin: a namespace that plays the host, folders for its files, and the runtime's side of CNI
 * with the compiled binary. What it answers about the kernel comes from iproute2, never from our own code.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type ConfList, parseConfList, parseContainerId } from '@canal/cni-spec';
import { createNetns, removeNetns, withNetns } from '@canal/linux-ffi';
import { createCniCache } from '@canal/node-state';
import {
  CniPluginError,
  type CniRuntime,
  type ContainerCall,
  createCniRuntime,
  createPluginExec,
} from '@canal/node-state/runtime';
import { parseInterfaceName, unwrap } from 'net-types';

export interface CniNodeOptions {
  readonly mode?: 'routed' | 'bridge';
  /** Subnet file content; IPv4 alone when absent. */
  readonly subnet?: readonly string[];
  /** More keys of the plugin's configuration. */
  readonly config?: object;
  readonly plugins?: readonly object[];
}

export const IPV4 = ['FLANNEL_NETWORK=10.244.0.0/16', 'FLANNEL_SUBNET=10.244.1.1/24'];
export const IPV6 = ['FLANNEL_IPV6_NETWORK=fd00:10:244::/56', 'FLANNEL_IPV6_SUBNET=fd00:10:244:1::1/64'];
const COMMON = ['FLANNEL_MTU=1450', 'FLANNEL_IPMASQ=true'];

/** Addresses that a node has beside its pods': what it speaks to them by. */
const NODE_ADDRESSES = ['192.168.77.1/24', 'fd00:77::1/64'];

export interface Pod extends ContainerCall {
  /** What a program inside prints; throws when it fails. */
  run(...argv: string[]): string;
  remove(): void;
}

/** The plugin under test: CANAL_BINARY, or what the build made. */
export function canalBinary(): string {
  const path = process.env['CANAL_BINARY'] ?? fileURLToPath(new URL('../../../../dist/canal', import.meta.url));
  if (existsSync(path)) return path;
  throw new Error(`${path} is not there: build it by "npm run build"`);
}

let counter = 0;

export class CniNode implements Disposable {
  readonly name = `k${process.pid}-${++counter}`;
  readonly netns = `/run/netns/${this.name}`;
  readonly folder = mkdtempSync(`${tmpdir()}/canal-cni-`);
  readonly runtime: CniRuntime;
  readonly #options: CniNodeOptions;
  readonly #pods = new Set<string>();

  constructor(options: CniNodeOptions = {}) {
    this.#options = options;
    createNetns(this.netns);
    mkdirSync(`${this.folder}/bin`);
    for (const type of ['canal', 'flannel']) symlinkSync(canalBinary(), `${this.folder}/bin/${type}`);
    this.writeSubnet(options.subnet ?? IPV4);
    this.#setUp();
    this.runtime = createCniRuntime({
      binDirs: [`${this.folder}/bin`, '/usr/lib/cni'],
      cache: createCniCache(`${this.folder}/cni`),
      exec: createPluginExec({ netns: this.netns }),
    });
  }

  #setUp(): void {
    this.run('ip', 'link', 'set', 'lo', 'up');
    // A stand-in for the uplink: a device that is up and has the node's addresses.
    this.run('ip', 'link', 'add', 'uplink', 'type', 'bridge');
    this.run('ip', 'link', 'set', 'uplink', 'up');
    for (const address of NODE_ADDRESSES) this.run('ip', 'address', 'add', address, 'dev', 'uplink', ...nodad(address));
    // The node agent's work.
    this.run('sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1');
  }

  writeSubnet(lines: readonly string[]): void {
    writeFileSync(`${this.folder}/subnet.env`, [...lines, ...COMMON, ''].join('\n'));
  }

  /** The plugin's configuration, as it stands in a list. */
  plugin(): Record<string, unknown> {
    return {
      type: 'canal',
      mode: this.#options.mode ?? 'routed',
      subnetFile: `${this.folder}/subnet.env`,
      dataDir: `${this.folder}/networks`,
      stateDir: `${this.folder}/state`,
      capabilities: { ips: true, mac: true },
      ...this.#options.config,
    };
  }

  list(cniVersion = '1.1.0'): ConfList {
    const plugins = this.#options.plugins ?? [this.plugin()];
    const list = parseConfList(JSON.stringify({ cniVersion, name: 'canal', plugins }));
    if (list.ok) return list.value;
    throw new Error(list.error.message);
  }

  /** A sandbox: a namespace with its loopback up. */
  pod(id = `pod${this.#pods.size}`, options: { readonly ifname?: string } = {}): Pod {
    const netns = `/run/netns/${this.name}-${id}`;
    createNetns(netns);
    this.#pods.add(netns);
    const run = (...argv: string[]): string => runIn(netns, argv);
    run('ip', 'link', 'set', 'lo', 'up');
    return {
      containerId: unwrap(parseContainerId(id)),
      containerInterface: unwrap(parseInterfaceName(options.ifname ?? 'eth0')),
      netns,
      args: [
        ['IgnoreUnknown', '1'],
        ['K8S_POD_NAMESPACE', 'default'],
        ['K8S_POD_NAME', id],
        ['K8S_POD_UID', `uid-${id}`],
      ],
      run,
      remove: () => {
        removeNetns(netns);
        this.#pods.delete(netns);
      },
    };
  }

  run(...argv: string[]): string {
    return runIn(this.netns, argv);
  }

  /** One call of the binary with any configuration, as no runtime would write it. Throws CniPluginError. */
  call(command: string, config: object, pod?: Pod): Promise<string> {
    return this.callPlugin(`${this.folder}/bin/canal`, command, config, pod);
  }

  async callPlugin(path: string, command: string, config: object, pod?: Pod): Promise<string> {
    const container = pod && {
      CNI_CONTAINERID: pod.containerId,
      CNI_IFNAME: pod.containerInterface,
      CNI_NETNS: pod.netns,
    };
    const env = { CNI_COMMAND: command, CNI_PATH: '/usr/lib/cni', ...container };
    const output = await createPluginExec({ netns: this.netns })({ path, env, stdin: JSON.stringify(config) });
    if (output.exitCode !== 0) throw new CniPluginError(command, path, output);
    return output.stdout;
  }

  /** `ip -j …` on the node. */
  ip(...argv: string[]): IpObject[] {
    return ipJson(this.run('ip', '-j', ...argv));
  }

  /** Everything an attachment leaves: links, routes, neighbours, files; sorted, with addresses in the names. */
  traces(): string[] {
    const links = this.ip('link').flatMap(({ ifname = '' }) => (ifname.startsWith('cnl') ? [`link ${ifname}`] : []));
    const routes = [...this.ip('route'), ...this.ip('-6', 'route')].flatMap(({ dst = '', protocol = '' }) =>
      protocol === '204' ? [`route ${dst}`] : [],
    );
    return [...links, ...routes, ...this.files()].sort();
  }

  /** Reservations and records. */
  files(): string[] {
    const names = (path: string): string[] => (existsSync(path) ? readdirSync(path) : []);
    const reservations = names(`${this.folder}/networks/canal`).filter((name) => !/^(lock|last_reserved)/.test(name));
    const records = names(`${this.folder}/state/attachments/canal`).filter((name) => !name.startsWith('.swept'));
    return [...reservations.map((name) => `address ${name}`), ...records.map((name) => `record ${name}`)].sort();
  }

  [Symbol.dispose](): void {
    for (const netns of this.#pods) removeNetns(netns);
    removeNetns(this.netns);
    rmSync(this.folder, { recursive: true });
  }
}

/** What the tests read of iproute2's JSON. */
export interface IpObject {
  readonly ifname?: string;
  readonly address?: string;
  readonly mtu?: number;
  readonly master?: string;
  readonly flags?: readonly string[];
  readonly dst?: string;
  readonly dev?: string;
  readonly gateway?: string;
  readonly protocol?: string;
  readonly scope?: string;
  readonly lladdr?: string;
  readonly state?: readonly string[];
  readonly linkinfo?: { readonly info_kind?: string; readonly info_slave_data?: { readonly hairpin?: boolean } };
  readonly inet6_addr_gen_mode?: string;
  readonly addr_info?: readonly AddressInfo[];
}

export interface AddressInfo {
  readonly family: string;
  readonly local: string;
  readonly prefixlen: number;
  readonly scope: string;
  readonly nodad?: boolean;
  readonly tentative?: boolean;
}

export function ipJson(text: string): IpObject[] {
  return JSON.parse(text.trim() || '[]') as IpObject[];
}

/** Global addresses of an interface, with prefix length. */
export function globalAddresses(pod: Pod, name = 'eth0'): string[] {
  const [link] = ipJson(pod.run('ip', '-j', 'address', 'show', 'dev', name));
  const all = link?.addr_info ?? [];
  return all.filter(({ scope }) => scope === 'global').map(({ local, prefixlen }) => `${local}/${prefixlen}`);
}

function runIn(netns: string, argv: readonly string[]): string {
  const { stdout, stderr, exitCode } = withNetns(netns, () => Bun.spawnSync([...argv]));
  if (exitCode === 0) return stdout.toString();
  throw new Error(`in ${netns}: ${argv.join(' ')} ended with ${exitCode}: ${stderr.toString()}${stdout.toString()}`);
}

function nodad(address: string): string[] {
  return address.includes(':') ? ['nodad'] : [];
}
