import { StoreError } from '@canal/store-port';
import type { CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import { CommandError, UsageError } from '../report-error.ts';
import { applyFiles } from './apply-files.ts';
import type { ValidatingFlags } from './objects-flags.ts';
import { openKubeApi } from './open-kube-api.ts';
import { type ManifestFile, readManifestFiles } from './read-manifests.ts';

export interface ApplyFlags extends ValidatingFlags {
  readonly filename: readonly string[];
  readonly serverSide?: true;
  readonly forceConflicts?: true;
}

export async function runApply(context: CommandContext, flags: ApplyFlags): Promise<void> {
  const { validate } = flags;
  const [serverSide, force] = [flags.serverSide === true, flags.forceConflicts === true];
  if (force && !serverSide) {
    throw new UsageError('--force-conflicts is for --server-side', 'give both, or leave it out');
  }
  const files: ManifestFile[] = [];
  for (const name of flags.filename) files.push(...(await readManifestFiles(name, context.signal)));
  const { client, namespace } = await openKubeApi(context, flags);
  const options = { validate, serverSide, force, namespace, dryRun: flags.dryRun === 'server' };
  try {
    await applyFiles(context, client, files, options);
  } catch (error) {
    if (!serverSide || !(error instanceof StoreError)) throw error;
    if (error.code === 'unsupported') {
      throw new UsageError(error.message, 'that of a lab does not merge: leave out --server-side');
    }
    if (error.code !== 'conflict') throw error;
    const hint = 'leave those fields to who manages them, or take them over: --force-conflicts';
    throw new CommandError(error.message, hint, EXIT.exists);
  }
}
