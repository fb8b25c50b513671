import type { MissingPart } from '@canal/admin-client';
import type { AdminFlags } from '../admin/admin-flags.ts';
import { withAdminApi } from '../admin/open-admin-api.ts';
import { tellMissing } from '../admin/tell-missing.ts';
import type { CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import type { ListFormat } from '../output/list-format.ts';
import { renderList, renderValue } from '../output/render-list.ts';
import { printableLine } from '../printable.ts';
import { CommandError, UsageError } from '../report-error.ts';
import { findKind, KIND_WORDS } from './kind-words.ts';
import { KINDS, type ShownKind } from './kinds.ts';

export interface GetFlags extends AdminFlags {
  readonly namespace?: string;
  readonly allNamespaces?: true;
  readonly node?: string;
  readonly output: ListFormat;
}

export async function runGet(
  context: CommandContext,
  word: string,
  name: string | undefined,
  flags: GetFlags,
): Promise<void> {
  const { terminal } = context;
  const found = findKind(word);
  if (found === undefined) {
    throw new UsageError(
      `there is no kind ${JSON.stringify(word)}`,
      `give one of ${Object.keys(KIND_WORDS).join(', ')}; other objects show "kubectl get", in a lab "canalctl lab get"`,
    );
  }
  const kind: ShownKind = KINDS[found];
  refuse(found, kind, flags);
  const wanted = name === undefined ? undefined : readName(name, kind, flags.namespace);
  const { namespace, node } = flags;
  const query = {
    ...(namespace !== undefined && { namespace }),
    ...(wanted?.namespace !== undefined && { namespace: wanted.namespace }),
    ...(node !== undefined && { node }),
  };
  const read = await withAdminApi(
    context,
    flags,
    async (client, signal) =>
      wanted === undefined || kind.readOne === undefined
        ? await kind.read(client, signal, query)
        : { items: [await kind.readOne(client, signal, wanted.name)], missing: [] },
    kind.role,
  );
  const items = wanted === undefined ? read.items : read.items.filter((item) => kind.isNamed(item, wanted));
  tellMissing(context, read.missing);
  if (wanted !== undefined && items.length === 0) throw absent(found, name ?? '', read.missing);
  const { type } = flags.output;
  if (items.length === 0 && (type === 'table' || type === 'wide')) {
    terminal.err(`${printableLine(`no ${found}${namespace === undefined ? '' : ` in ${namespace}`}`)}\n`);
    return;
  }
  const [only] = items;
  // One that was named is no list, as with kubectl.
  if (wanted !== undefined && items.length === 1 && (type === 'json' || type === 'yaml')) {
    terminal.out(await renderValue(only, type));
  } else terminal.out(await renderList(items, kind.view, flags.output));
}

function refuse(name: string, { filters }: ShownKind, { namespace, allNamespaces, node }: GetFlags): void {
  if (namespace !== undefined && allNamespaces === true) {
    throw new UsageError('--namespace and --all-namespaces exclude each other', 'leave out one of them');
  }
  const given = { namespace, node };
  for (const filter of ['namespace', 'node'] as const) {
    if (given[filter] === undefined || filters.includes(filter)) continue;
    throw new UsageError(`${name} cannot be told apart by --${filter}`, 'leave it out');
  }
}

interface WantedName {
  readonly namespace?: string;
  readonly name: string;
}

function readName(text: string, { isNamespaced }: ShownKind, given: string | undefined): WantedName {
  if (!isNamespaced) return { name: text };
  const [first = '', second, ...more] = text.split('/');
  if (second === undefined) return { name: first, ...(given !== undefined && { namespace: given }) };
  if (more.length === 0 && first !== '' && second !== '' && (given === undefined || given === first)) {
    return { namespace: first, name: second };
  }
  throw new UsageError(`${JSON.stringify(text)} is no name of one`, 'give its name with -n, or namespace/name');
}

function absent(kind: string, name: string, missing: readonly MissingPart[]): CommandError {
  const hint =
    missing.length === 0 ? `"canalctl get ${kind}" shows what there is` : 'it may be of a node that could not be asked';
  return new CommandError(`there is no ${JSON.stringify(name)} among the ${kind}`, hint, EXIT.notFound);
}
