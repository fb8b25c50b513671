/** An API server under test, reached over HTTP alone. */
export interface ApiSubject {
  /** Sends a request to `path` with the subject's address, trust and credentials filled in. */
  readonly fetch: (path: string, init?: ApiRequestInit) => Promise<Response>;
  /** The same without credentials. */
  readonly fetchAnonymous: (path: string, init?: ApiRequestInit) => Promise<Response>;
  /**
   * Makes the server forget its history up to now, and resolves when it has (of a kube-apiserver: compact its etcd, then
   * wait until its watch cache has dropped the older snapshots too). Without it, what depends on it is skipped.
   */
  readonly compact?: () => Promise<void>;
  /** Something deletes the contents of namespaces that are being deleted. A kube-apiserver alone does not. */
  readonly emptiesNamespaces: boolean;
  readonly stop: () => Promise<void>;
}

export interface ApiRequestInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

export interface ApiContractOptions {
  /** For the report. */
  readonly name: string;
  readonly start: () => Promise<ApiSubject>;
}
