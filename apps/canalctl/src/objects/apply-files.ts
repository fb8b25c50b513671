/** What `apply` does with files: they are looked at, their objects tried out, and applied one after the other. */
import type { CommandContext } from '../command-context.ts';
import { printableLine } from '../printable.ts';
import { UsageError } from '../report-error.ts';
import { renderFinding } from '../validate/run.ts';
import { validateFile } from '../validate/validate-file.ts';
import type { ApiClient, ServedResource } from './api-client.ts';
import { type Applied, type ApplyOptions, applyWish, inOrder, tryWishes, type Wish, wishOf } from './apply.ts';
import type { Manifest } from './manifest.ts';
import type { ManifestFile } from './read-manifests.ts';
import { wordOf } from './resource-word.ts';

export interface ApplyFilesOptions extends ApplyOptions {
  /** Of objects that name none. */
  readonly namespace: string;
  readonly dryRun: boolean;
}

export const APPLY_DEFAULTS = { validate: 'strict', serverSide: false, force: false, dryRun: false } as const;

/** Throws UsageError and StoreError. */
export async function applyFiles(
  context: CommandContext,
  client: ApiClient,
  files: readonly ManifestFile[],
  options: ApplyFilesOptions,
): Promise<void> {
  const { signal } = context;
  const manifests = files.flatMap((file) => file.manifests);
  look(context, files, options);
  const served = await servedOf(client, manifests);
  const wishes = inOrder(manifests.map((manifest) => wishOf(served, manifest, options.namespace)));
  const trials = await tryWishes(client, wishes, options);
  if (options.dryRun) {
    for (const { wish, applied } of trials) {
      tell(context, wish, applied ?? { outcome: 'created', warnings: [] }, ' (server dry run)');
    }
    return;
  }
  for (const wish of wishes) {
    signal.throwIfAborted();
    tell(context, wish, await applyWish(client, wish, options), '');
  }
}

/** What agents would not read as it is meant. An API server takes it, and a pod is cut off. Throws UsageError. */
function look(
  { terminal }: CommandContext,
  files: readonly ManifestFile[],
  { validate, namespace }: ApplyFilesOptions,
): void {
  if (validate === 'ignore') return;
  const findings = files.flatMap(({ text, name }) => validateFile(text, name, namespace).findings);
  for (const finding of findings) terminal.err(`${renderFinding(finding)}\n`);
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  if (errors === 0 || validate === 'warn') return;
  throw new UsageError(
    `${errors} ${errors === 1 ? 'error' : 'errors'} in what is to be applied; nothing was changed`,
    'correct what is named, or apply it all the same with --validate=warn',
  );
}

async function servedOf(client: ApiClient, manifests: readonly Manifest[]): Promise<readonly ServedResource[]> {
  const versions = [...new Set(manifests.map(({ apiVersion }) => apiVersion))];
  return (await Promise.all(versions.map((version) => client.served(version)))).flat();
}

function tell({ terminal }: CommandContext, wish: Wish, { outcome, warnings }: Applied, suffix: string): void {
  const { manifest, type } = wish;
  for (const warning of warnings) terminal.err(`${printableLine(`${manifest.where}: warning: ${warning}`)}\n`);
  terminal.out(`${printableLine(`${wordOf(type)}/${manifest.name} ${outcome}${suffix}`)}\n`);
}
