import type { Diagnosis } from '@canal/admin-client';
import type { AdminFlags } from '../admin/admin-flags.ts';
import { withAdminApi } from '../admin/open-admin-api.ts';
import type { CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import { renderTable, renderValue } from '../output/render-list.ts';
import { printableLine, safeJson } from '../printable.ts';
import { createProgress } from '../progress.ts';
import { UsageError } from '../report-error.ts';
import { refuseExisting, writeDirectory, writeFile } from './write-bundle.ts';

export interface DiagFlags extends AdminFlags {
  readonly file?: string;
  readonly directory?: string;
  readonly output: 'table' | 'json' | 'yaml';
}

const STDOUT = '-';

export async function runDiag(context: CommandContext, flags: DiagFlags): Promise<void> {
  const { terminal, outcome } = context;
  const { directory, output } = flags;
  const file = flags.file ?? (directory === undefined ? defaultName(new Date()) : undefined);
  if (file === '' || directory === '') throw new UsageError('the path is empty', 'name a file, or a directory');
  const path = directory ?? file ?? '';
  // Before nodes are asked for seconds.
  if (file !== STDOUT) refuseExisting(path);
  const progress = createProgress(terminal);
  let bundle: Diagnosis;
  try {
    progress.step('asking every node');
    ({ body: bundle } = await withAdminApi(
      context,
      flags,
      (client, signal) => client.call('diagnose', signal),
      'admin',
    ));
  } finally {
    progress.done();
  }
  if (bundle.missing.length > 0) outcome.exitCode = EXIT.unhealthy;
  if (file === STDOUT) {
    terminal.out(`${safeJson(bundle)}\n`);
    for (const line of missingLines(bundle)) terminal.err(line);
    return;
  }
  if (directory === undefined) writeFile(path, `${safeJson(bundle)}\n`);
  else writeDirectory(path, bundle);
  if (output === 'table') {
    terminal.out(renderContents(bundle));
    terminal.out(`${printableLine(`written: ${path}`)}\n`);
    for (const line of missingLines(bundle)) terminal.err(line);
    return;
  }
  const entries = bundle.entries.map((entry) => ({ path: entry.path, bytes: Buffer.byteLength(entry.content) }));
  terminal.out(await renderValue({ written: path, time: bundle.time, entries, missing: bundle.missing }, output));
}

function defaultName(now: Date): string {
  return `canal-diag-${now.toISOString().replace(/[-:]/g, '').replace(/\..*/, 'Z')}.json`;
}

export function renderContents({ entries }: Diagnosis): string {
  return renderTable([
    ['INSIDE', 'BYTES'],
    ...entries.map(({ path, content }) => [path, String(Buffer.byteLength(content))]),
  ]);
}

function missingLines({ missing }: Diagnosis): readonly string[] {
  if (missing.length === 0) return [];
  const lines = missing.map(({ path, reason }) => `missing: ${path}: ${reason}`);
  const ofNodes = missing.some(({ path }) => path.startsWith('nodes/'));
  const next = ofNodes ? ['  "canalctl node status" shows what is wrong with the nodes'] : [];
  return [...lines, ...next].map((line) => `${printableLine(line)}\n`);
}
