/**
 * Operations in batches: many requests in one sendmsg, with a result each. A batch is sized by time, not by count: the
 * kernel holds its locks while it works one off, and pods that are being added wait for them.
 */
import type { KernelFault, OperationResult } from '@canal/kernel-port';
import type { DesiredSysctl, NetworkOperation } from '@canal/model';
import type { InterfaceName } from 'net-types';
import { isRetriable, type NetlinkConnection, NetlinkError, type NetlinkRequest } from 'netlink-ts';
import { LinkNames } from './link-names.ts';
import { detourRequestsOf, isNetlinkSysctl, MissingLink, requestsOf } from './operation-request.ts';

export interface ApplyDeps {
  readonly connection: NetlinkConnection;
  /** Writes a switch below /proc/sys; throws what the file system throws. */
  readonly writeSysctl: (sysctl: DesiredSysctl) => void;
  /** Monotonic milliseconds, to size batches by. */
  readonly nowMs: () => number;
  /** Lets others run: the event loop here, and in the kernel whoever waits for its locks. */
  readonly pause: () => Promise<void>;
}

/**
 * A batch aims at a quarter of what is allowed (20 ms): its size is a guess from the one before it, and what an operation
 * costs grows as tables do, and is now and then twice that of its neighbours.
 */
const TARGET_BATCH_MS = 5;
const FIRST_BATCH_REQUESTS = 64;
const LARGEST_BATCH_REQUESTS = 1024;

export async function applyOperations(
  deps: ApplyDeps,
  operations: readonly NetworkOperation[],
  signal: AbortSignal | undefined,
): Promise<OperationResult[]> {
  const run = new ApplyRun(deps);
  let sizeOfNext = FIRST_BATCH_REQUESTS;
  for (let at = 0; at < operations.length;) {
    signal?.throwIfAborted();
    const beganMs = deps.nowMs();
    const batch = operations.slice(at, at + sizeOfNext);
    run.perform(batch);
    at += batch.length;
    sizeOfNext = nextSize(batch.length, deps.nowMs() - beganMs);
    if (at < operations.length) await deps.pause();
  }
  return run.results;
}

function nextSize(size: number, tookMs: number): number {
  const fitting = tookMs <= 0 ? LARGEST_BATCH_REQUESTS : Math.floor((size * TARGET_BATCH_MS) / tookMs);
  return Math.max(1, Math.min(fitting, size * 2, LARGEST_BATCH_REQUESTS));
}

interface Pending {
  readonly index: number;
  readonly operation: NetworkOperation;
  readonly requests: readonly NetlinkRequest[];
}

class ApplyRun {
  readonly results: OperationResult[] = [];
  readonly #deps: ApplyDeps;
  #names: LinkNames | undefined;
  #pending: Pending[] = [];

  constructor(deps: ApplyDeps) {
    this.#deps = deps;
  }

  perform(operations: readonly NetworkOperation[]): void {
    // Names are resolved afresh in every batch: between two of them somebody may have made a device anew.
    this.#names = undefined;
    for (const operation of operations) {
      // A device that is made or goes changes what names mean, so it is a batch of its own.
      const structural = operation.type === 'link-add' || operation.type === 'link-delete';
      if (structural) this.#flush();
      this.#add(operation);
      if (!structural) continue;
      this.#flush();
      this.#names = undefined;
    }
    this.#flush();
  }

  #add(operation: NetworkOperation): void {
    const index = this.results.length;
    this.results.push({ ok: true });
    try {
      const requests = requestsOf(operation, (name) => this.#indexOf(name));
      this.#pending.push({ index, operation, requests });
      if (operation.type === 'sysctl-set' && !isNetlinkSysctl(operation.sysctl)) {
        this.#flush();
        this.#deps.writeSysctl(operation.sysctl);
      }
    } catch (error) {
      this.results[index] = { ok: false, error: faultOf(error) };
    }
  }

  #indexOf(name: InterfaceName): number {
    this.#names ??= LinkNames.read(this.#deps.connection);
    const index = this.#names.indexOf(name);
    if (index === undefined) throw new MissingLink(`there is no device ${name}`);
    return index;
  }

  #flush(): void {
    const pending = this.#pending;
    this.#pending = [];
    const requests = pending.flatMap((entry) => entry.requests);
    if (requests.length === 0) return;
    const errors = this.#batch(requests);
    let at = 0;
    for (const entry of pending) {
      const error = errors.slice(at, at + entry.requests.length).find((candidate) => candidate !== undefined);
      at += entry.requests.length;
      const left = error?.code === 'EINVAL' ? this.#detour(entry.operation, error) : error;
      if (left !== undefined) this.results[entry.index] = { ok: false, error: faultOf(left) };
    }
  }

  /** The error that stays when a way round it, if there is one, has been tried. */
  #detour(operation: NetworkOperation, error: NetlinkError): NetlinkError | undefined {
    const requests = detourRequestsOf(operation, (name) => this.#indexOf(name));
    if (requests === undefined) return error;
    return this.#deps.connection.batch(requests).find((candidate) => candidate !== undefined);
  }

  /** What failed for a moment's reason (a signal, memory) is tried once more at once; the loop does the rest. */
  #batch(requests: readonly NetlinkRequest[]): (NetlinkError | undefined)[] {
    const errors = [...this.#deps.connection.batch(requests)];
    const retried = [...requests.entries()].filter(([index]) => isRetriable(errors[index]));
    if (retried.length === 0) return errors;
    const again = this.#deps.connection.batch(retried.map(([, request]) => request));
    for (const [position, [index]] of retried.entries()) errors[index] = again[position];
    return errors;
  }
}

function faultOf(error: unknown): KernelFault {
  if (error instanceof NetlinkError) return { code: error.code, message: error.extendedAck?.message ?? error.message };
  if (error instanceof MissingLink) return { code: 'ENODEV', message: error.message };
  // Errors of the file system, which have an errno's name; anything else is not the kernel's answer.
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return { code: error.code, message: error.message };
  }
  throw error;
}
