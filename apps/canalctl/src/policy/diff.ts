import { diff, type PolicyDiff, render } from '@canal/policy-diff';
import type { ClusterFlags } from '../cluster/cluster-flags.ts';
import type { CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import type { Manifest } from '../objects/manifest.ts';
import { readManifests } from '../objects/read-manifests.ts';
import { renderValue } from '../output/render-list.ts';
import { printableLine } from '../printable.ts';
import { UsageError } from '../report-error.ts';
import { comparedStates } from './compared-states.ts';

export interface DiffFlags extends ClusterFlags {
  readonly filename: readonly string[];
  readonly before?: readonly string[];
  readonly namespace: string;
  readonly prune?: true;
  readonly output: 'table' | 'json' | 'yaml';
}

/** Of diff(1): there are differences, and nothing else. */
const DIFFERS = 1;

export async function runDiff(context: CommandContext, flags: DiffFlags): Promise<void> {
  const { terminal, outcome, signal } = context;
  outcome.failure = EXIT.unhealthy;
  const { before: files, kubeconfig, context: cluster } = flags;
  if (files !== undefined && (kubeconfig !== undefined || cluster !== undefined)) {
    throw new UsageError('--before asks no cluster', 'leave out --kubeconfig and --context, or leave out --before');
  }
  const wanted = await readAll(flags.filename, signal);
  const present = files === undefined ? await readLive(context, flags) : await readAll(files, signal);
  const options = { defaultNamespace: flags.namespace, prune: flags.prune === true };
  const { before, after, notes } = comparedStates(present, wanted, options);
  for (const note of notes) terminal.err(`note: ${note}\n`);
  const found = diff(before, after);
  if (found.opens.length > 0 || found.closes.length > 0) outcome.exitCode = DIFFERS;
  terminal.out(flags.output === 'table' ? renderDiff(found) : await renderValue(found, flags.output));
}

export function renderDiff(found: PolicyDiff): string {
  return render(found)
    .map((line) => `${printableLine(line)}\n`)
    .join('');
}

async function readAll(filenames: readonly string[], signal: AbortSignal): Promise<readonly Manifest[]> {
  const manifests: Manifest[] = [];
  for (const filename of filenames) {
    for (const manifest of await readManifests(filename, signal)) manifests.push(manifest);
  }
  return manifests;
}

async function readLive(context: CommandContext, flags: ClusterFlags): Promise<readonly Manifest[]> {
  const { readLiveManifests } = await import('./live-manifests.ts');
  return await readLiveManifests(context, flags);
}
