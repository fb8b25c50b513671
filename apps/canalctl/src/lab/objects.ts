import { type Lab } from '@canal/lab';
import { type CommandContext } from '../command-context.ts';
import { type ApiClient, type ApiTable, createApiClient } from '../objects/api-client.ts';
import { APPLY_DEFAULTS, applyFiles } from '../objects/apply-files.ts';
import { textAt, valueAt } from '../objects/json-object.ts';
import { readManifestFiles } from '../objects/read-manifests.ts';
import { resource, wordOf } from '../objects/resource-word.ts';
import type { ListFormat } from '../output/list-format.ts';
import { renderCustomColumns, renderNames, renderTable, renderValue } from '../output/render-list.ts';
import { printableLine } from '../printable.ts';
import { UsageError } from '../report-error.ts';
import { type LabFlags, onOpenLab } from './lab-flags.ts';

export interface GetFlags extends LabFlags {
  readonly namespace: string;
  readonly allNamespaces?: true;
  readonly output: ListFormat;
}

/** The lab's own, as `canalctl apply --lab` has it. */
export async function runApply(
  context: CommandContext,
  flags: LabFlags & { readonly namespace: string; readonly filename: string },
): Promise<void> {
  const files = await readManifestFiles(flags.filename, context.signal);
  await onOpenLab(context, flags, async (lab) => {
    await applyFiles(context, clientOf(lab, context), files, { ...APPLY_DEFAULTS, namespace: flags.namespace });
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
    const { output } = flags;
    if (output.type === 'table' || output.type === 'wide') {
      const found = await client.table(type, where);
      const scope = everywhere || !type.namespaced ? '' : ` in ${flags.namespace}`;
      if (found.rows.length === 0) terminal.err(`${printableLine(`no ${type.plural}${scope}`)}\n`);
      else terminal.out(renderRows(found, { wide: output.type === 'wide', namespaces: everywhere && type.namespaced }));
      return;
    }
    const answer = await client.read(type, where);
    if (output.type === 'json' || output.type === 'yaml') {
      terminal.out(await renderValue(answer, output.type));
      return;
    }
    const items = valueAt(answer, 'items');
    const objects: readonly unknown[] = Array.isArray(items) ? items : [answer];
    terminal.out(
      output.type === 'custom-columns'
        ? renderCustomColumns(objects, output.columns)
        : renderNames(objects.map((object) => `${wordOf(type)}/${textAt(object, 'metadata', 'name') ?? ''}`)),
    );
  });
}

function renderRows(
  { columns, rows }: ApiTable,
  { wide, namespaces }: { readonly wide: boolean; readonly namespaces: boolean },
): string {
  const isShown = (index: number): boolean => wide || columns[index]?.wide !== true;
  const lines = [{ namespace: 'NAMESPACE', cells: columns.map(({ name }) => name.toUpperCase()) }, ...rows].map(
    ({ namespace, cells }) => {
      const shown = cells.filter((_, index) => isShown(index));
      return namespaces ? [namespace, ...shown] : shown;
    },
  );
  return renderTable(lines);
}

export async function runDelete(
  context: CommandContext,
  kind: string,
  name: string,
  flags: LabFlags & { readonly namespace: string },
): Promise<void> {
  await onOpenLab(context, flags, async (lab) => {
    const client = clientOf(lab, context);
    const type = await resource(client, kind);
    const namespace = type.namespaced ? flags.namespace : undefined;
    await client.write({ action: 'delete', type, namespace, name }, { dryRun: false, validate: 'strict' });
    context.terminal.out(`${printableLine(`${wordOf(type)}/${name} deleted`)}\n`);
  });
}

function clientOf(lab: Lab, context: CommandContext): ApiClient {
  return createApiClient(lab.connection, context.signal);
}
