import {
  isKubeObject,
  type KubeObject,
  type ListPage,
  type ListWatch,
  type ResourceType,
  StoreError,
  type WatchFrame,
  type WatchOptions,
} from '@canal/store-port';

import type { KubeConnection } from './connection.ts';
import { readLines } from './json-lines.ts';
import { ListDecoder } from './list-decoder.ts';
import { PROTOBUF } from './protobuf/envelope.ts';
import { shapeOf } from './protobuf/kubernetes-shapes.ts';
import type { MessageShape } from './protobuf/message.ts';
import { readProtobufFrames, readWatchEvent } from './protobuf/protobuf-frames.ts';
import { ProtobufListDecoder } from './protobuf/protobuf-list.ts';
import { resourcePath, send, withQuery } from './request.ts';

/** Lists and watches one resource of an API server: the transport below the reflector. */
export function createKubeListWatch(connection: KubeConnection, type: ResourceType, options: WatchOptions): ListWatch {
  const path = resourcePath(type, options.namespace);
  const selectors = { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector };
  const shape = options.fields && shapeOf(type, options.fields);
  // A server that does not write it, as for custom resources, answers in JSON.
  const accept = shape && `${PROTOBUF}, application/json`;
  return {
    async listPage(request, onObject, signal) {
      const query = { ...selectors, limit: request.limit?.toString(), continue: request.continueToken };
      const response = await send(connection, { method: 'GET', path: withQuery(path, query), accept }, signal);
      return await readListPage(response, type, onObject, shape);
    },
    async watch(request, signal) {
      const query = {
        ...selectors,
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: request.resourceVersion,
        timeoutSeconds: String(request.timeoutSeconds),
      };
      const response = await send(connection, { method: 'GET', path: withQuery(path, query), accept }, signal);
      return shape !== undefined && isProtobuf(response) ? readProtobuf(response, shape) : readFrames(response);
    },
  };
}

/** Reads one page as it arrives; items get the list's kind and apiVersion, which the API leaves out. */
export async function readListPage(
  response: Response,
  type: ResourceType,
  onObject: (object: KubeObject) => void,
  shape?: MessageShape,
): Promise<ListPage> {
  const apiVersion = type.group === '' ? type.version : `${type.group}/${type.version}`;
  const onItem = (item: unknown): void => {
    if (!isKubeObject(item))
      throw new StoreError('invalid', `list of ${type.plural} holds an item without metadata.name`);
    onObject({ ...item, apiVersion, kind: type.kind });
  };
  const decoder =
    shape !== undefined && isProtobuf(response)
      ? new ProtobufListDecoder(shape, onItem, MAX_OBJECT_BYTES)
      : new ListDecoder(onItem, MAX_OBJECT_BYTES);
  let bytes = 0;
  for await (const chunk of bytesOf(response)) {
    bytes += chunk.length;
    decoder.push(chunk);
  }
  const metadata = member(decoder.finish(), 'metadata');
  collectGarbageOf(bytes);
  const resourceVersion = member(metadata, 'resourceVersion');
  const continueToken = member(metadata, 'continue');
  if (typeof resourceVersion !== 'string' || resourceVersion === '') {
    throw new StoreError('invalid', `list of ${type.plural} has no metadata.resourceVersion`);
  }
  return {
    resourceVersion,
    ...(typeof continueToken === 'string' && continueToken !== '' ? { continueToken } : {}),
  };
}

async function* readFrames(response: Response): AsyncGenerator<WatchFrame, void> {
  for await (const line of readLines(bytesOf(response), MAX_OBJECT_BYTES)) {
    const frame = decodeFrame(line);
    if (frame !== undefined) yield frame;
  }
}

async function* readProtobuf(response: Response, shape: MessageShape): AsyncGenerator<WatchFrame, void> {
  for await (const bytes of readProtobufFrames(bytesOf(response), MAX_OBJECT_BYTES)) {
    const { type, object } = readWatchEvent(bytes, shape);
    const frame = frameOf(type, object);
    if (frame !== undefined) yield frame;
  }
}

function isProtobuf(response: Response): boolean {
  return response.headers.get('Content-Type')?.startsWith(PROTOBUF) ?? false;
}

/** One watch line; undefined for event types that newer servers may add. */
export function decodeFrame(line: string): WatchFrame | undefined {
  const event = parseLine(line);
  return frameOf(member(event, 'type'), member(event, 'object'));
}

function frameOf(type: unknown, object: unknown): WatchFrame | undefined {
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
      return { type: 'put', object: requireObject(object) };
    case 'DELETED':
      return { type: 'delete', object: requireObject(object) };
    case 'BOOKMARK': {
      const resourceVersion = member(member(object, 'metadata'), 'resourceVersion');
      return typeof resourceVersion === 'string' ? { type: 'bookmark', resourceVersion } : undefined;
    }
    case 'ERROR':
      return {
        type: 'error',
        status: numberOr(member(object, 'code'), 500),
        reason: textOr(member(object, 'reason'), ''),
        message: textOr(member(object, 'message'), 'no message'),
      };
    default:
      return undefined;
  }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new StoreError('unavailable', 'watch line is not JSON', { cause: error });
  }
}

function requireObject(value: unknown): KubeObject {
  if (isKubeObject(value)) return value;
  throw new StoreError('unavailable', 'watch event holds an object without metadata.name');
}

/** The body's chunks; a cut connection becomes a StoreError, and leaving the loop early ends the request. */
async function* bytesOf(response: Response): AsyncGenerator<Uint8Array, void> {
  if (response.body === null) return;
  const body: ReadableStream<Uint8Array> = response.body;
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw new StoreError('unavailable', `connection cut: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  } finally {
    // After a normal end this does nothing.
    await reader.cancel().catch(() => undefined);
  }
}

/**
 * What large pages leave behind is garbage at once. Left to itself the heap would grow by several pages first, and a
 * process that is small for the rest of its life keeps that size: 5,000 nodes of 9 KB peak at 61 MB instead of 77.
 * A collection costs what lives: so the more lives, the rarer, or a long list would cost the square of its length.
 */
function collectGarbageOf(bytes: number): void {
  listedBytes += bytes;
  if (listedBytes < Math.max(COLLECT_ABOVE_BYTES, heapAfterCollection * COLLECT_ABOVE_SHARE)) return;
  Bun.gc(true);
  listedBytes = 0;
  heapAfterCollection = process.memoryUsage().heapUsed;
}

const COLLECT_ABOVE_BYTES = 2 * 1024 * 1024;
const COLLECT_ABOVE_SHARE = 0.25;
/** Of the process, as its heap is one: since the last collection, in bytes. */
let listedBytes = 0;
let heapAfterCollection = 0;

/** etcd refuses requests above 1.5 MiB; JSON of a protobuf object may be a few times larger. */
const MAX_OBJECT_BYTES = 16 * 1024 * 1024;

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function numberOr(value: unknown, fallback: number): number {
  return typeof value === 'number' ? value : fallback;
}

function textOr(value: unknown, fallback: string): string {
  return typeof value === 'string' ? value : fallback;
}
