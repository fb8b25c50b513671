/**
 * What DiffProcess and its child say to each other: frames of a length (4 bytes, little-endian) and a value as node:v8
 * serializes it. A cluster goes in parts, because one frame of ten thousand pods would take half a second to make.
 */
import { deserialize, serialize } from 'node:v8';
import type { DiffRequest, PolicyDiff } from '@canal/admin-schema';
import type { ClusterState } from '@canal/policy-diff';
import type { ProblemError } from '../handler.ts';

export interface DiffQuestion {
  readonly state: ClusterState;
  readonly request: DiffRequest;
}

export type DiffReply =
  | { readonly ok: true; readonly diff: PolicyDiff }
  /** The objects cannot be applied. */
  | { readonly ok: false; readonly detail: string; readonly errors: ProblemError['errors'] };

/** A few milliseconds' work. */
const PART_ITEMS = 200;
const LENGTH_BYTES = 4;

type Part =
  | { [List in keyof ClusterState]: { readonly list: List; readonly items: ClusterState[List] } }[keyof ClusterState]
  | { readonly list: 'request'; readonly request: DiffRequest };

export function* encodeQuestion({ state, request }: DiffQuestion): Generator<Uint8Array, void> {
  for (const list of ['namespaces', 'pods', 'policies', 'nodes'] as const) {
    for (let start = 0; start < state[list].length; start += PART_ITEMS) {
      yield frame({ list, items: state[list].slice(start, start + PART_ITEMS) } as Part);
    }
  }
  yield frame({ list: 'request', request });
}

/** Throws when the bytes end before the request, or are not of this program. */
export function decodeQuestion(bytes: Uint8Array): DiffQuestion {
  const state = { namespaces: [], pods: [], policies: [], nodes: [] } as { [List in keyof ClusterState]: unknown[] };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + LENGTH_BYTES <= bytes.length;) {
    const start = at + LENGTH_BYTES;
    at = start + view.getUint32(at, true);
    // Of the same program.
    const part = deserialize(bytes.subarray(start, at)) as Part;
    if (part.list === 'request') return { state: state as unknown as ClusterState, request: part.request };
    for (const item of part.items) state[part.list].push(item);
  }
  throw new Error('the question ended before its request');
}

function frame(part: Part): Uint8Array {
  const content = serialize(part);
  const bytes = new Uint8Array(LENGTH_BYTES + content.length);
  new DataView(bytes.buffer).setUint32(0, content.length, true);
  bytes.set(content, LENGTH_BYTES);
  return bytes;
}
