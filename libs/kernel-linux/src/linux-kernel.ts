import {
  type DefaultRoute,
  type InterfaceFacts,
  type KernelEvent,
  KernelError,
  type KernelErrorCode,
  type KernelFeatures,
  type MonitorScope,
  type NetworkKernel,
  type OperationResult,
  type SnapshotScope,
} from '@canal/kernel-port';
import { type NetnsRef, openNetlinkSocket, traceFromEnvironment } from '@canal/linux-ffi';
import type { DesiredSysctl, IpPath, NetworkOperation, NetworkSnapshot } from '@canal/model';
import type { Ip } from 'net-types';
import {
  createNetlinkConnection,
  getNexthop,
  isNotFound,
  isNotSupported,
  listLinks,
  type NetlinkConnection,
} from 'netlink-ts';
import { setImmediate } from 'node:timers/promises';
import { applyOperations } from './apply-operations.ts';
import { listDefaultRoutes, listInterfaces } from './interface-facts.ts';
import { findPaths } from './ip-paths.ts';
import { monitorKernel } from './kernel-monitor.ts';
import { linkName } from './link-names.ts';
import { readSnapshot } from './read-snapshot.ts';
import { keepRouterAdvertisements } from './router-advertisements.ts';
import { createSysctlFiles, type SysctlFiles } from './sysctl-files.ts';

export interface LinuxKernelOptions {
  /** Network namespace by path or open descriptor; the process's own when absent. */
  readonly netns?: NetnsRef;
  /** Where /proc/sys/net can be written: in containers /proc/sys itself is read-only. */
  readonly sysctlNetDirectory?: string;
}

/** The network of one namespace, over netlink. Throws KernelError when no socket can be had there. */
export function createLinuxKernel(options: LinuxKernelOptions = {}): NetworkKernel {
  return new LinuxKernel(options);
}

class LinuxKernel implements NetworkKernel {
  readonly #netns: NetnsRef | undefined;
  readonly #connection: NetlinkConnection;
  readonly #files: SysctlFiles;
  /** A connection that broke down gets a new socket, with another port. */
  readonly #ports = new Set<number>();
  #closed = false;

  constructor({ netns, sysctlNetDirectory }: LinuxKernelOptions) {
    this.#netns = netns;
    this.#files = createSysctlFiles(netns, sysctlNetDirectory);
    this.#connection = asKernelError(() =>
      createNetlinkConnection(() => this.#open(), { trace: traceFromEnvironment() }),
    );
  }

  features(): Promise<KernelFeatures> {
    return this.#ask(() => ({
      nexthopObjects: hasNexthopObjects(this.#connection),
      ipv6: this.#files.ipv6,
      sysctlWritable: this.#files.writable,
    }));
  }

  readSnapshot(scope: SnapshotScope): Promise<NetworkSnapshot> {
    return this.#ask(() => readSnapshot(this.#connection, this.#files, scope));
  }

  async apply(operations: readonly NetworkOperation[], signal?: AbortSignal): Promise<readonly OperationResult[]> {
    this.#checkOpen();
    const deps = {
      connection: this.#connection,
      writeSysctl: (sysctl: DesiredSysctl) => {
        this.#writeSysctl(sysctl);
      },
      nowMs: () => performance.now(),
      pause: () => setImmediate(),
    };
    try {
      return await applyOperations(deps, operations, signal);
    } catch (error) {
      if (signal?.aborted === true && error === signal.reason) throw error;
      throw toKernelError(error);
    }
  }

  async *monitor(scope: MonitorScope, signal: AbortSignal): AsyncGenerator<KernelEvent> {
    this.#checkOpen();
    const deps = {
      netns: this.#netns,
      isOwnPort: (portId: number) => this.#ports.has(portId),
      indicesInScope: () => this.#indicesInScope(scope),
    };
    try {
      yield* monitorKernel(deps, scope, signal);
    } catch (error) {
      throw toKernelError(error);
    }
  }

  listInterfaces(): Promise<readonly InterfaceFacts[]> {
    return this.#ask(() => listInterfaces(this.#connection));
  }

  listDefaultRoutes(): Promise<readonly DefaultRoute[]> {
    return this.#ask(() => listDefaultRoutes(this.#connection));
  }

  pathsTo(addresses: readonly Ip[]): Promise<ReadonlyMap<Ip, IpPath>> {
    return this.#ask(() => findPaths(this.#connection, addresses));
  }

  close(): void {
    this.#closed = true;
    this.#connection[Symbol.dispose]();
  }

  #open() {
    const socket = openNetlinkSocket({ netns: this.#netns });
    this.#ports.add(socket.portId);
    return socket;
  }

  #writeSysctl(sysctl: DesiredSysctl): void {
    if (sysctl.link === 'all' && sysctl.family === 6 && sysctl.name === 'forwarding' && sysctl.value === 1) {
      keepRouterAdvertisements(this.#connection, this.#files);
    }
    this.#files.write(sysctl);
  }

  #indicesInScope(scope: MonitorScope): number[] {
    return listLinks(this.#connection).flatMap((link) => {
      const name = linkName(link);
      return name !== undefined && scope.links(name) ? [link.index] : [];
    });
  }

  /** The calls below are synchronous: the kernel answers inside the system call. */
  #ask<T>(question: () => T): Promise<T> {
    return Promise.try(() => {
      this.#checkOpen();
      return asKernelError(question);
    });
  }

  #checkOpen(): void {
    if (this.#closed) throw new KernelError('closed', 'the kernel was closed');
  }
}

/** Asks for one that cannot exist: a kernel that knows nexthop objects says so, an older one knows no such question. */
function hasNexthopObjects(connection: NetlinkConnection): boolean {
  try {
    getNexthop(connection, 0xffff_ffff);
    return true;
  } catch (error) {
    if (isNotFound(error)) return true;
    if (isNotSupported(error)) return false;
    throw error;
  }
}

function asKernelError<T>(question: () => T): T {
  try {
    return question();
  } catch (error) {
    throw toKernelError(error);
  }
}

function toKernelError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof KernelError) return error;
  const code = 'code' in error ? error.code : undefined;
  return new KernelError(kernelErrorCode(code), `the kernel cannot be asked: ${error.message}`, { cause: error });
}

function kernelErrorCode(code: unknown): KernelErrorCode {
  if (code === 'EPERM' || code === 'EACCES') return 'permission';
  // open(2) of the path, setns(2) of something that is no namespace.
  if (code === 'ENOENT' || code === 'EINVAL') return 'namespace';
  return 'io';
}
