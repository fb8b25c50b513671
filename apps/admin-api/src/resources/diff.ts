/** Which flows a change of objects would open and close, in the cluster as it is now. */
import { parseNetworkPolicy, parsePolicyNamespace, parsePolicyPod, POLICY_POD_FIELDS } from '@canal/api-schema';
import type { AnnotationKeys } from '@canal/api-schema';
import type { ClusterState } from '@canal/policy-diff';
import { NAMESPACES, NETWORK_POLICIES, PODS, type Store } from '@canal/store-port';
import { type Ip, parseIp } from 'net-types';
import { type Handlers, ProblemError } from '../handler.ts';
import { boundedText } from './bounded-text.ts';
import type { ClusterNodes } from './cluster-nodes.ts';
import type { DiffProcess } from './diff-process.ts';
import { readObjects } from './store-objects.ts';
import { APPLIED_FIELDS, WantedObjects } from './wanted-objects.ts';

export interface DiffDeps {
  readonly store: Store;
  readonly nodes: ClusterNodes;
  readonly keys: AnnotationKeys;
  readonly process: DiffProcess;
}

const POD_FIELDS = {
  ...POLICY_POD_FIELDS,
  metadata: {
    ...POLICY_POD_FIELDS.metadata,
    ...APPLIED_FIELDS,
    annotations: { ...POLICY_POD_FIELDS.metadata.annotations, ...APPLIED_FIELDS.annotations },
  },
};

export function diffHandlers(deps: DiffDeps): Pick<Handlers, 'diff'> {
  return {
    async diff({ body, signal }) {
      if (body.objects.length + (body.removed?.length ?? 0) === 0) {
        const detail = 'expected an object that would be applied, or one that would be removed';
        throw new ProblemError('invalid', detail, { errors: [{ pointer: '/objects', detail }] });
      }
      return await deps.process.inTurn(signal, async () => {
        const wanted = new WantedObjects(body.objects);
        const { state, problems } = await clusterState(deps, wanted, signal);
        const request = { ...body, objects: wanted.applied() as typeof body.objects };
        const found = await deps.process.diff({ state, request }, signal);
        return { body: { ...found, problems: [...found.problems, ...problems] } };
      });
    },
  };
}

async function clusterState(
  { store, nodes, keys }: DiffDeps,
  wanted: WantedObjects,
  signal: AbortSignal,
): Promise<{ state: ClusterState; problems: { object: string; code: string; field: string; message: string }[] }> {
  const [namespaces, pods, policies] = await Promise.all([
    readObjects(
      store,
      NAMESPACES,
      wanted.watching('Namespace', parsePolicyNamespace),
      { fields: { metadata: { name: true, labels: true, ...APPLIED_FIELDS } } },
      signal,
    ),
    readObjects(store, PODS, wanted.watching('Pod', parsePolicyPod), { fields: POD_FIELDS }, signal),
    readObjects(store, NETWORK_POLICIES, wanted.watching('NetworkPolicy', parseNetworkPolicy), {}, signal),
  ]);
  const unreadable = { Namespace: namespaces.unreadable, Pod: pods.unreadable, NetworkPolicy: policies.unreadable };
  return {
    state: {
      namespaces: namespaces.objects,
      pods: pods.objects,
      policies: policies.objects,
      nodes: nodes.names().map((name) => ({ name, addresses: addressesOf(nodes, keys, name) })),
    },
    problems: Object.entries(unreadable).flatMap(([kind, keysOf]) =>
      keysOf.map(({ key, error }) => ({
        object: `${kind} ${key}`,
        code: 'Unreadable',
        field: '',
        message: boundedText(`${error}; it is not compared`, 1024),
      })),
    ),
  };
}

/** All that a node sends from, its tunnels included: flannel gives them the first address of the pod subnet. */
function addressesOf(nodes: ClusterNodes, keys: AnnotationKeys, name: string): readonly Ip[] {
  const { record } = nodes.get(name) ?? {};
  if (record === undefined) return [];
  const { internalIps, annotations, podCidrs } = record;
  const published = [keys.publicIp, keys.publicIpv6, keys.publicIpOverwrite, keys.publicIpv6Overwrite];
  const addresses = new Set<Ip>(podCidrs.map(({ ip }) => ip));
  for (const text of [...internalIps, ...published.map((key) => annotations[key])]) {
    const ip = text === undefined ? undefined : parseIp(text);
    if (ip?.ok === true) addresses.add(ip.value);
  }
  return [...addresses];
}
