import type { KubeObject } from './store.ts';

/**
 * What a reflector needs of a server: one resource (with its namespace and selectors already chosen), read in pages and
 * watched from a version. Both throw `StoreError`, and reject when the signal aborts.
 */
export interface ListWatch {
  /** One page; `onObject` is called for each object as it arrives, so that a page need not be held whole. */
  listPage(request: ListPageRequest, onObject: (object: KubeObject) => void, signal: AbortSignal): Promise<ListPage>;
  /** Resolves when the server has accepted the watch; the frames end when it closes the stream. */
  watch(request: WatchRequest, signal: AbortSignal): Promise<AsyncIterable<WatchFrame>>;
}

export interface ListPageRequest {
  /** Absent: everything in one answer. */
  readonly limit?: number;
  /** The token of the page before; absent for the first page. */
  readonly continueToken?: string;
}

export interface ListPage {
  /** The version that the whole list (all its pages) shows. */
  readonly resourceVersion: string;
  /** Present when there is more. */
  readonly continueToken?: string;
}

export interface WatchRequest {
  readonly resourceVersion: string;
  /** After this the server ends the watch by itself. */
  readonly timeoutSeconds: number;
}

export type WatchFrame =
  | { readonly type: 'put'; readonly object: KubeObject }
  | { readonly type: 'delete'; readonly object: KubeObject }
  /** "Everything up to this version has been sent." */
  | { readonly type: 'bookmark'; readonly resourceVersion: string }
  /** The server ends the watch and says why. */
  | { readonly type: 'error'; readonly status: number; readonly reason: string; readonly message: string };
