import { type Lab } from '@canal/lab';
import { type CommandContext } from '../command-context.ts';
import { applyWish, checkWishes, inOrder, wishOf } from '../objects/apply.ts';
import { type ApiClient, createApiClient, findResource, type ServedResource } from '../objects/api-client.ts';
import { readManifests } from '../objects/read-manifests.ts';
import { printable, printableLine, safeJson } from '../printable.ts';
import { UsageError } from '../report-error.ts';
import { table } from '../table.ts';
import { type LabFlags, onOpenLab } from './lab-flags.ts';

export interface GetFlags extends LabFlags {
  readonly namespace: string;
  readonly allNamespaces?: true;
  readonly output: 'text' | 'json' | 'yaml';
}

export async function runApply(
  context: CommandContext,
  flags: LabFlags & { readonly namespace: string; readonly filename: string },
): Promise<void> {
  const manifests = await readManifests(flags.filename, context.signal);
  await onOpenLab(context, flags, async (lab) => {
    const client = clientOf(lab, context);
    const served = await client.discover();
    const wishes = inOrder(manifests.map((manifest) => wishOf(served, manifest, flags.namespace)));
    await checkWishes(lab.store, client, wishes);
    for (const wish of wishes) {
      context.signal.throwIfAborted();
      const outcome = await applyWish(lab.store, wish);
      context.terminal.out(`${nameOf(wish.type)}/${printableLine(wish.manifest.name)} ${outcome}\n`);
    }
  });
}

export async function runGet(
  context: CommandContext,
  kind: string,
  name: string | undefined,
  flags: GetFlags,
): Promise<void> {
  const { terminal } = context;
  const everywhere = flags.allNamespaces === true;
  if (everywhere && name !== undefined)
    throw new UsageError('one object has one namespace', 'leave out --all-namespaces, or the name');
  await onOpenLab(context, flags, async (lab) => {
    const client = clientOf(lab, context);
    const type = await resource(client, kind);
    const where = { namespace: everywhere ? undefined : flags.namespace, name };
    if (flags.output === 'json') {
      terminal.out(`${safeJson(await client.read(type, where))}\n`);
    } else if (flags.output === 'yaml') {
      const { stringify } = await import('yaml');
      terminal.out(printable(stringify(await client.read(type, where))));
    } else {
      const { columns, rows } = await client.table(type, where);
      const scope = everywhere || !type.namespaced ? '' : ` in ${flags.namespace}`;
      if (rows.length === 0) terminal.err(`${printableLine(`no ${type.plural}${scope}`)}\n`);
      const withNamespace = everywhere && type.namespaced;
      const head = withNamespace ? ['NAMESPACE', ...columns] : columns;
      const body = rows.map((row) => (withNamespace ? [row.namespace, ...row.cells] : row.cells).map(printableLine));
      if (rows.length > 0) terminal.out(table([head.map((column) => printableLine(column).toUpperCase()), ...body]));
    }
  });
}

export async function runDelete(
  context: CommandContext,
  kind: string,
  name: string,
  flags: LabFlags & { readonly namespace: string },
): Promise<void> {
  await onOpenLab(context, flags, async (lab) => {
    const type = await resource(clientOf(lab, context), kind);
    await lab.store.delete(type, name, type.namespaced ? flags.namespace : undefined);
    context.terminal.out(`${nameOf(type)}/${printableLine(name)} deleted\n`);
  });
}

function clientOf(lab: Lab, context: CommandContext): ApiClient {
  return createApiClient(lab.connection, context.signal);
}

async function resource(client: ApiClient, word: string): Promise<ServedResource> {
  const served = await client.discover();
  const found = findResource(served, word);
  if (found !== undefined) return found;
  const known = served.map((one) => one.plural).join(', ');
  throw new UsageError(`the API server knows no ${JSON.stringify(word)}`, `give one of ${known}`);
}

function nameOf(type: ServedResource): string {
  const singular = type.words[1] ?? type.plural;
  return printableLine(type.group === '' ? singular : `${singular}.${type.group}`);
}
