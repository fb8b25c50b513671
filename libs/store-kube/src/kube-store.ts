import type { Clock } from '@canal/runtime-port';
import {
  isKubeObject,
  type KubeObject,
  type Parse,
  type PatchOptions,
  reflect,
  type ReflectorOptions,
  type ResourceType,
  type Store,
  StoreError,
  type StoreEvent,
  type WatchOptions,
} from '@canal/store-port';

import type { KubeConnection } from './connection.ts';
import { createKubeListWatch } from './kube-list-watch.ts';
import { type KubeRequest, resourcePath, send, withQuery } from './request.ts';

export interface KubeStoreDeps {
  readonly connection: KubeConnection;
  readonly clock: Clock;
  /** Uniform in [0, 1); for jitter. */
  readonly random?: () => number;
}

export interface KubeStoreOptions {
  /** Longest a single request (not a watch) may take. */
  readonly requestTimeoutMs?: number;
  readonly reflector?: Partial<ReflectorOptions>;
}

/** The store port over the Kubernetes API. */
export function createKubeStore(deps: KubeStoreDeps, options: KubeStoreOptions = {}): Store {
  return new KubeStore(deps, options);
}

class KubeStore implements Store {
  readonly #connection: KubeConnection;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #options: KubeStoreOptions;

  constructor(deps: KubeStoreDeps, options: KubeStoreOptions) {
    this.#connection = deps.connection;
    this.#clock = deps.clock;
    this.#random = deps.random ?? Math.random;
    this.#options = options;
  }

  watch<T>(
    type: ResourceType,
    parse: Parse<T>,
    options: WatchOptions,
    signal: AbortSignal,
  ): AsyncIterable<StoreEvent<T>> {
    const listWatch = createKubeListWatch(this.#connection, type, options);
    return reflect({ listWatch, clock: this.#clock, random: this.#random }, parse, signal, this.#options.reflector);
  }

  async get(type: ResourceType, name: string, namespace?: string): Promise<KubeObject | undefined> {
    try {
      return await this.#object({ method: 'GET', path: resourcePath(type, namespace, name) });
    } catch (error) {
      if (error instanceof StoreError && error.code === 'not-found') return undefined;
      throw error;
    }
  }

  async list(type: ResourceType, options: WatchOptions = {}): Promise<readonly KubeObject[]> {
    const listWatch = createKubeListWatch(this.#connection, type, options);
    for (;;) {
      try {
        return await this.#withTimeout((signal) => readAll(listWatch, signal));
      } catch (error) {
        // The snapshot expired between two pages: what was read is no list, begin again.
        if (!(error instanceof StoreError && error.code === 'expired')) throw error;
      }
    }
  }

  async create(type: ResourceType, object: KubeObject): Promise<KubeObject> {
    const path = resourcePath(type, object.metadata.namespace);
    return await this.#object({ method: 'POST', path: strict(path), body: object });
  }

  async update(type: ResourceType, object: KubeObject): Promise<KubeObject> {
    const { name, namespace } = object.metadata;
    return await this.#object({ method: 'PUT', path: strict(resourcePath(type, namespace, name)), body: object });
  }

  async mergePatch(type: ResourceType, name: string, patch: unknown, options: PatchOptions = {}): Promise<KubeObject> {
    const path = strict(resourcePath(type, options.namespace, name, options.subresource));
    return await this.#object({ method: 'PATCH', path, body: patch, contentType: 'application/merge-patch+json' });
  }

  async delete(type: ResourceType, name: string, namespace?: string): Promise<void> {
    await this.#withTimeout(async (signal) => {
      const request: KubeRequest = { method: 'DELETE', path: resourcePath(type, namespace, name) };
      const response = await send(this.#connection, request, signal);
      await response.body?.cancel();
    });
  }

  async #object(request: KubeRequest): Promise<KubeObject> {
    return await this.#withTimeout(async (signal) => {
      const response = await send(this.#connection, request, signal);
      const object = await readJson(request, response);
      if (isKubeObject(object)) return object;
      throw new StoreError('invalid', `${request.method} ${request.path}: the answer is no Kubernetes object`);
    });
  }

  async #withTimeout<R>(work: (signal: AbortSignal) => Promise<R>): Promise<R> {
    const timeoutMs = this.#options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS;
    const late = new AbortController();
    const done = new AbortController();
    this.#clock.sleep(timeoutMs, done.signal).then(
      () => {
        late.abort(new StoreError('unavailable', `no answer within ${String(timeoutMs)} ms`));
      },
      // The sleep is ended when the work is done.
      () => undefined,
    );
    try {
      return await work(late.signal);
    } finally {
      done.abort();
    }
  }
}

/** A body that is cut, or no JSON, may come whole with another try. */
async function readJson({ method, path }: KubeRequest, response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (error) {
    if (error instanceof StoreError) throw error;
    const cause = error instanceof Error ? error.message : String(error);
    throw new StoreError('unavailable', `${method} ${path}: the answer was cut: ${cause}`, { cause: error });
  }
}

async function readAll(
  listWatch: ReturnType<typeof createKubeListWatch>,
  signal: AbortSignal,
): Promise<readonly KubeObject[]> {
  const objects: KubeObject[] = [];
  let continueToken: string | undefined;
  do {
    const request = { limit: PAGE_SIZE, ...(continueToken === undefined ? {} : { continueToken }) };
    const page = await listWatch.listPage(request, (object) => objects.push(object), signal);
    continueToken = page.continueToken;
  } while (continueToken !== undefined);
  return objects;
}

/** A misspelt field must be an error, never a silent loss: API servers only warn unless asked to refuse. */
function strict(path: string): string {
  return withQuery(path, { fieldValidation: 'Strict' });
}

const PAGE_SIZE = 500;
const DEFAULT_REQUEST_TIMEOUT_MS = 30_000;
