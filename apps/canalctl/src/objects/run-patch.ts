import type { CommandContext } from '../command-context.ts';
import { printableLine } from '../printable.ts';
import { UsageError } from '../report-error.ts';
import type { PatchType } from './api-client.ts';
import { isUnchanged } from './apply.ts';
import { isJsonObject } from './json-object.ts';
import type { ValidatingFlags } from './objects-flags.ts';
import { openKubeApi } from './open-kube-api.ts';
import { readTexts } from './read-manifests.ts';
import { resource, wordOf } from './resource-word.ts';

export interface PatchFlags extends ValidatingFlags {
  readonly patch?: string;
  readonly patchFile?: string;
  readonly type: PatchType;
}

export async function runPatch(context: CommandContext, kind: string, name: string, flags: PatchFlags): Promise<void> {
  const { terminal } = context;
  const patch = await readPatch(context, flags);
  const { client, namespace: given } = await openKubeApi(context, flags);
  const type = await resource(client, kind);
  const namespace = type.namespaced ? given : undefined;
  const dryRun = flags.dryRun === 'server';
  const before = await client.find(type, name, namespace);
  const change = { action: 'patch', type, namespace, name, patchType: flags.type, patch } as const;
  const { object, warnings } = await client.write(change, { dryRun, validate: flags.validate });
  for (const warning of warnings) terminal.err(`${printableLine(`warning: ${warning}`)}\n`);
  const outcome = isUnchanged(before, object) ? 'patched (no change)' : 'patched';
  terminal.out(`${printableLine(`${wordOf(type)}/${name} ${outcome}${dryRun ? ' (server dry run)' : ''}`)}\n`);
}

const HINT = 'give an object such as {"metadata":{"labels":{"tier":"front"}}}, with --type json a list of operations';

/** Throws UsageError. */
async function readPatch({ signal }: CommandContext, { patch, patchFile, type }: PatchFlags): Promise<unknown> {
  const [file] = patchFile === undefined ? [] : await readTexts(patchFile, signal);
  const text = patch ?? file?.text;
  if (text === undefined) throw new UsageError('there is no patch', 'give it with -p, or a file with --patch-file');
  const { parse } = await import('yaml');
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 100, logLevel: 'error' });
  } catch (error) {
    const [first = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw new UsageError(`the patch is neither JSON nor YAML: ${first.replace(/:$/, '')}`, HINT);
  }
  if (type === 'json' ? Array.isArray(value) : isJsonObject(value)) return value;
  throw new UsageError(`the patch is ${type === 'json' ? 'no list' : 'no object'}`, HINT);
}
