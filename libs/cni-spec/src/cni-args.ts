import { err, ok, type Result } from 'net-types';

/** CNI_ARGS: what the runtime says of one container, outside the configuration. Keys keep their case. */
export type CniArgs = ReadonlyMap<string, string>;

/**
 * `K=V;K=V`. A value may hold "=". A pair without "=" or with an empty key is an error: it means that a value held a ";",
 * and what follows must not be taken for a key of its own.
 */
export function parseCniArgs(text: string): Result<CniArgs, string> {
  const args = new Map<string, string>();
  for (const pair of text.split(';')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    if (equals < 1) return err(`${JSON.stringify(pair.slice(0, 80))}: expected KEY=VALUE pairs parted by ";"`);
    args.set(pair.slice(0, equals), pair.slice(equals + 1));
  }
  return ok(args);
}

/** Keys canal takes. IP and MAC are the older way of the `ips` and `mac` capabilities. */
const KNOWN_KEYS = new Set(['IgnoreUnknown', 'IP', 'MAC']);
const KUBERNETES_PREFIX = 'K8S_POD_';

/** The keys that canal does not know, unless IgnoreUnknown tells to pass over them (1 or true). */
export function unknownCniArgs(args: CniArgs): readonly string[] {
  const ignore = args.get('IgnoreUnknown')?.toLowerCase();
  if (ignore === '1' || ignore === 'true') return [];
  return [...args.keys()].filter((key) => !KNOWN_KEYS.has(key) && !key.startsWith(KUBERNETES_PREFIX));
}

/** Who the pod is, when a Kubernetes runtime says so; for people and logs alone. */
export function podOfCniArgs(args: CniArgs): { namespace: string; name: string; uid: string } | undefined {
  const name = args.get('K8S_POD_NAME');
  if (name === undefined) return undefined;
  return { namespace: args.get('K8S_POD_NAMESPACE') ?? '', name, uid: args.get('K8S_POD_UID') ?? '' };
}
