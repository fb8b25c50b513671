import { StoreError } from '@canal/store-port';
import type { CommandContext } from '../command-context.ts';
import { printableLine } from '../printable.ts';
import { UsageError } from '../report-error.ts';
import type { ApiClient, ServedResource } from './api-client.ts';
import { wishOf } from './apply.ts';
import type { Manifest } from './manifest.ts';
import type { ObjectFlags } from './objects-flags.ts';
import { openKubeApi } from './open-kube-api.ts';
import { readManifests } from './read-manifests.ts';
import { resource, wordOf } from './resource-word.ts';

export interface DeleteFlags extends ObjectFlags {
  readonly filename?: readonly string[];
  readonly ignoreNotFound?: true;
}

interface Doomed {
  readonly type: ServedResource;
  readonly namespace: string | undefined;
  readonly name: string;
}

export async function runDelete(
  context: CommandContext,
  kind: string | undefined,
  names: readonly string[],
  flags: DeleteFlags,
): Promise<void> {
  const { terminal, signal } = context;
  const { filename = [] } = flags;
  if (filename.length > 0 && kind !== undefined) {
    throw new UsageError('-f and a kind exclude each other', 'leave out one of them');
  }
  if (filename.length === 0 && (kind === undefined || names.length === 0)) {
    throw new UsageError('nothing is named', 'give a kind and a name, such as "networkpolicy db", or -f FILE');
  }
  const manifests: Manifest[] = [];
  for (const file of filename) manifests.push(...(await readManifests(file, signal)));
  const { client, namespace } = await openKubeApi(context, flags);
  const doomed =
    kind === undefined ? await ofManifests(client, manifests, namespace) : await ofKind(client, kind, names, namespace);
  const dryRun = flags.dryRun === 'server';
  const failures: unknown[] = [];
  for (const { type, name, namespace: of } of doomed) {
    signal.throwIfAborted();
    try {
      const change = { action: 'delete', type, name, namespace: of } as const;
      const { warnings } = await client.write(change, { dryRun, validate: 'strict' });
      for (const warning of warnings) terminal.err(`${printableLine(`warning: ${warning}`)}\n`);
      terminal.out(`${printableLine(`${wordOf(type)}/${name} deleted${dryRun ? ' (server dry run)' : ''}`)}\n`);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'not-found') throw error;
      // The others are deleted all the same, as kubectl does it.
      if (flags.ignoreNotFound !== true) failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

async function ofKind(
  client: ApiClient,
  kind: string,
  names: readonly string[],
  namespace: string,
): Promise<readonly Doomed[]> {
  const type = await resource(client, kind);
  return names.map((name) => ({ type, name, namespace: type.namespaced ? namespace : undefined }));
}

/** The last first: what is in a namespace goes before it. */
async function ofManifests(
  client: ApiClient,
  manifests: readonly Manifest[],
  namespace: string,
): Promise<readonly Doomed[]> {
  const versions = [...new Set(manifests.map(({ apiVersion }) => apiVersion))];
  const served = (await Promise.all(versions.map((version) => client.served(version)))).flat();
  return manifests
    .map((manifest) => wishOf(served, manifest, namespace))
    .map(({ type, namespace: of, manifest }) => ({ type, name: manifest.name, namespace: of }))
    .reverse();
}
