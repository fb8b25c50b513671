/** Scenario files, each in a vitest process of its own, and what became of their scenarios. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { kill } from 'node:process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { interrupted } from './interrupt.ts';
import { type WorldConfig, WORLD_VARIABLE } from './open-world.ts';
import { parseResults, RESULTS_VARIABLE, type ScenarioResult } from './results.ts';
import { resultsOfFile, type VitestReport } from './vitest-report.ts';

export interface FileOptions {
  readonly all: boolean;
  readonly keep: boolean;
  readonly files: readonly string[];
}

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
export const DIST = join(ROOT, 'dist', 'e2e');

const SOURCES = join(ROOT, 'apps', 'canal-e2e', 'src');
/** Scenarios end themselves long before; this is for what hangs outside of them. */
const FILE_LIMIT_MS = 30 * 60_000;
const INSTALL = 'scenarios/install';

/** Nothing else is tried on a cluster where the installation failed. */
export async function runFiles(
  group: string,
  files: readonly string[],
  world: WorldConfig | undefined,
  options: FileOptions,
): Promise<readonly ScenarioResult[]> {
  const wanted = files.filter(
    (file) => options.files.length === 0 || file === INSTALL || options.files.some((name) => file.endsWith(name)),
  );
  const results: ScenarioResult[] = [];
  for (const file of wanted) {
    if (interrupted.aborted) break;
    const ofFile = await runFile(group, file, world, options);
    results.push(...ofFile);
    if (file === INSTALL && ofFile.some(({ outcome }) => outcome === 'failed')) break;
  }
  return results;
}

async function runFile(
  group: string,
  file: string,
  world: WorldConfig | undefined,
  options: FileOptions,
): Promise<readonly ScenarioResult[]> {
  const base = join(DIST, group, file.replaceAll('/', '-'));
  const [recordsFile, reportFile] = [`${base}.jsonl`, `${base}.vitest.json`];
  mkdirSync(join(DIST, group), { recursive: true });
  const status = await runVitest(
    [
      join(SOURCES, `${file}.e2e.ts`),
      ...['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`],
      // The rest of an installation that failed is no news.
      ...(file === INSTALL ? ['--bail=1'] : []),
    ],
    {
      [RESULTS_VARIABLE]: recordsFile,
      ...(world === undefined ? {} : { [WORLD_VARIABLE]: JSON.stringify(world) }),
      ...(options.all ? { CANAL_E2E_ALL: '1' } : {}),
      ...(options.keep ? { CANAL_E2E_KEEP: '1' } : {}),
    },
  );
  const report = existsSync(reportFile) ? (JSON.parse(readFileSync(reportFile, 'utf8')) as VitestReport) : undefined;
  const recorded = existsSync(recordsFile) ? parseResults(readFileSync(recordsFile, 'utf8')) : [];
  return resultsOfFile(file, { report, status }, recorded);
}

/**
 * Gives its exit status. It has a process group of its own, which is killed as a whole when its time is over or this
 * process is told to end: its workers, port-forwards and meters would go on otherwise.
 */
async function runVitest(args: readonly string[], env: Readonly<Record<string, string>>): Promise<number | null> {
  const vitest = join(ROOT, 'node_modules', '.bin', 'vitest');
  const config = join(ROOT, 'apps', 'canal-e2e', 'vitest.config.ts');
  const child = spawn(process.execPath, ['--bun', vitest, 'run', '--root', ROOT, '--config', config, ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
    env: { ...process.env, ...env },
  });
  const end = (): void => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) kill(-child.pid, 'SIGKILL');
  };
  const limit = setTimeout(end, FILE_LIMIT_MS);
  interrupted.addEventListener('abort', end);
  try {
    return await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
  } finally {
    clearTimeout(limit);
    interrupted.removeEventListener('abort', end);
  }
}
