/** The pods that a policy isolates: as agents have put it into force, or as files say it. */
import { selects } from '@canal/model';
import { formatIp } from 'net-types';
import { tellMissing } from '../admin/tell-missing.ts';
import type { CommandContext } from '../command-context.ts';
import { readManifests } from '../objects/read-manifests.ts';
import type { Manifest } from '../objects/manifest.ts';
import type { ListFormat } from '../output/list-format.ts';
import { type ListView, renderList } from '../output/render-list.ts';
import { printableLine } from '../printable.ts';
import { PolicyAgentError } from './agent-error.ts';
import { parsePolicyObjects, policyManifests } from './policy-objects.ts';
import { type EndpointFlags, readEndpoints } from './read-endpoints.ts';
import { refuseSources } from './refuse-sources.ts';

export interface PodsFlags extends EndpointFlags {
  readonly namespace: string;
  readonly filename?: readonly string[];
  readonly output: ListFormat;
}

export interface IsolatedPod {
  readonly node?: string;
  readonly pod: { readonly namespace: string; readonly name: string };
  readonly addresses: readonly string[];
  /** In which directions the policy isolates it. */
  readonly directions: readonly ('ingress' | 'egress')[];
}

export async function runPods(context: CommandContext, policy: string, flags: PodsFlags): Promise<void> {
  const { terminal } = context;
  const name = policy.includes('/') ? policy : `${flags.namespace}/${policy}`;
  const pods =
    flags.filename === undefined ? await ofAgents(context, name, flags) : await ofFiles(context, name, flags);
  const { type } = flags.output;
  if (pods.length === 0 && (type === 'table' || type === 'wide')) {
    terminal.err(`${printableLine(`${name} isolates no pod here`)}\n`);
    return;
  }
  terminal.out(await renderPods(pods, flags.output));
}

async function ofAgents(context: CommandContext, policy: string, flags: PodsFlags): Promise<readonly IsolatedPod[]> {
  const { items, missing } = await readEndpoints(context, flags);
  tellMissing(context, missing);
  const found = items.flatMap(({ node, pod, addresses, ingress, egress }): IsolatedPod[] => {
    const directions = [
      ...(ingress.includes(policy) ? (['ingress'] as const) : []),
      ...(egress.includes(policy) ? (['egress'] as const) : []),
    ];
    if (pod === undefined || directions.length === 0) return [];
    return [{ ...(node !== undefined && { node }), pod, addresses, directions }];
  });
  return found.sort(byName);
}

async function ofFiles(context: CommandContext, name: string, flags: PodsFlags): Promise<readonly IsolatedPod[]> {
  refuseSources(flags);
  const manifests: Manifest[] = [];
  for (const file of flags.filename ?? [])
    for (const manifest of await readManifests(file, context.signal)) manifests.push(manifest);
  const notes: string[] = [];
  const objects = parsePolicyObjects(policyManifests(manifests, flags.namespace, notes).values());
  for (const note of notes) context.terminal.err(`note: ${note}\n`);
  const policy = objects.policies.find((one) => `${one.namespace}/${one.name}` === name);
  if (policy === undefined) {
    throw new PolicyAgentError('not-found', `policy ${JSON.stringify(name)} is not in the files`, {
      hint: 'name it as namespace/name, or its namespace with -n',
    });
  }
  const directions = (['ingress', 'egress'] as const).filter((direction) => policy[direction] !== undefined);
  return objects.pods
    .filter(({ namespace, labels, hostNetwork, completed }) => {
      return namespace === policy.namespace && !hostNetwork && !completed && selects(policy.podSelector, labels);
    })
    .map(({ namespace, name: pod, node, addresses }) => ({
      ...(node !== '' && { node }),
      pod: { namespace, name: pod },
      addresses: addresses.map(formatIp),
      directions,
    }))
    .sort(byName);
}

function byName(a: IsolatedPod, b: IsolatedPod): number {
  return nameOf(a) < nameOf(b) ? -1 : 1;
}

function nameOf({ pod }: IsolatedPod): string {
  return `${pod.namespace}/${pod.name}`;
}

export async function renderPods(pods: readonly IsolatedPod[], format: ListFormat): Promise<string> {
  return await renderList(pods, VIEW, format);
}

const VIEW: ListView<IsolatedPod> = {
  columns: [
    { title: 'POD', cell: nameOf },
    { title: 'ISOLATED FOR', cell: ({ directions }) => directions.join(', ') },
    { title: 'ADDRESSES', wide: true, cell: ({ addresses }) => addresses.join(', ') || '-' },
    { title: 'NODE', wide: true, cell: ({ node }) => node ?? '-' },
  ],
  name: nameOf,
  value: (pod) => pod,
};
