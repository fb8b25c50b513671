/** Pods' interfaces with the policies in effect: of all nodes as the admin API tells them, or of this machine's agent. */
import type { Endpoint, MissingPart } from '@canal/admin-client';
import { withAdminApi } from '../admin/open-admin-api.ts';
import type { CommandContext } from '../command-context.ts';
import { askOnce } from './agent-client.ts';
import { localAgent } from './local-agent.ts';
import type { PolicyFlags } from './policy-flags.ts';
import { readEndpointStatuses } from './read-answers.ts';

/** `node` is absent when this machine's agent told it. */
export type ShownEndpoint = Omit<Endpoint, 'node'> & { readonly node?: string };

/** What is meant: all, or those of a node or a namespace. */
export interface EndpointFlags extends PolicyFlags {
  readonly node?: string;
}

export interface ShownEndpoints {
  readonly items: readonly ShownEndpoint[];
  readonly missing: readonly MissingPart[];
}

export async function readEndpoints(
  context: CommandContext,
  flags: EndpointFlags,
  namespace?: string,
): Promise<ShownEndpoints> {
  const { node } = flags;
  const socket = localAgent(context, flags);
  if (socket === undefined) {
    return await withAdminApi(context, flags, (client, signal) =>
      client.list('listEndpoints', signal, { query: { node, namespace } }),
    );
  }
  const all = readEndpointStatuses(await askOnce(socket, { op: 'endpoints' }, context.signal));
  const items = all.filter(({ pod }) => namespace === undefined || pod?.namespace === namespace);
  return { items: items.sort((a, b) => (endpointName(a) < endpointName(b) ? -1 : 1)), missing: [] };
}

/** Of an interface whose pod is not known, that of the interface. */
export function endpointName(endpoint: ShownEndpoint): string {
  const { pod } = endpoint;
  return pod === undefined ? endpoint.interface : `${pod.namespace}/${pod.name}`;
}
