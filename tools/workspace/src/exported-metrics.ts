/** The metrics that the programs register, asked of their own code, and what else a scrape gives. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../../..');

export interface ExportedMetric {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
}

export interface ScrapedProgram {
  /** Label `job` of its targets, as docs/monitoring.md has Prometheus set it. */
  readonly job: string;
  readonly metrics: ReadonlyMap<string, ExportedMetric>;
  /** All texts of its sources: a label's value that is none of them is never exported. */
  readonly words: ReadonlySet<string>;
}

/** What docs/monitoring.md has Prometheus add to each series. */
export const TARGET_LABELS: readonly string[] = ['job', 'instance', 'namespace', 'pod', 'container', 'node'];

interface MetricOptions {
  readonly name: string;
  readonly labelNames?: readonly string[];
}

export async function exportedMetrics(): Promise<readonly ScrapedProgram[]> {
  const common = await processMetrics();
  return Promise.all(
    [
      { job: 'canal-flanneld', sources: ['apps/flanneld/src'], ...AGENT },
      { job: 'canal-policy-agent', sources: ['apps/policy-agent/src'], ...AGENT },
      {
        job: 'canal-admin-api',
        sources: ['apps/admin-api/src', 'apps/admin-api/src/http', 'apps/admin-api/src/tls', 'libs/admin-schema/src'],
        file: 'api-metrics.ts',
        maker: 'createApiMetrics',
      },
    ].map(async ({ job, sources, file, maker }) => ({
      job,
      metrics: new Map([...common, ...(await registeredBy(join(ROOT, sources[0] ?? '', file), maker))]),
      words: new Set([...SHARED_SOURCES, ...sources].flatMap((folder) => wordsOf(join(ROOT, folder)))),
    })),
  );
}

const AGENT = { file: 'agent-metrics.ts', maker: 'createAgentMetrics' };
const SHARED_SOURCES = ['libs/telemetry/src', 'libs/kernel-port/src'];

/** Of a module that no package exports: taken by its path, so that the program itself is asked and not its text. */
async function moduleAt<T>(path: string): Promise<T> {
  return (await import(path)) as T;
}

async function registeredBy(path: string, maker: string): Promise<ReadonlyMap<string, ExportedMetric>> {
  const module = await moduleAt<Readonly<Record<string, (metrics: object, version: string) => unknown>>>(path);
  const create = module[maker];
  if (create === undefined) throw new Error(`${path} has no ${maker}`);
  const found = new Map<string, ExportedMetric>();
  const note =
    (type: ExportedMetric['type']) =>
    ({ name, labelNames = [] }: MetricOptions) => {
      found.set(name, { type, labels: labelNames });
      return { inc: () => undefined, set: () => undefined, remove: () => undefined, observe: () => undefined };
    };
  create({ counter: note('counter'), gauge: note('gauge'), histogram: note('histogram') }, '0.0.0');
  return found;
}

/** Those of the registry itself: process_*. */
async function processMetrics(): Promise<ReadonlyMap<string, ExportedMetric>> {
  const { createPrometheusMetrics } = await moduleAt<{
    readonly createPrometheusMetrics: () => { render(): Promise<string> };
  }>(join(ROOT, 'libs/telemetry/src/prometheus-metrics.ts'));
  const text = await createPrometheusMetrics().render();
  return new Map(
    [...text.matchAll(/^# TYPE (\w+) (counter|gauge)$/gm)].map(([, name = '', type]) => [
      name,
      { type: type as 'counter' | 'gauge', labels: [] },
    ]),
  );
}

function wordsOf(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ts') && !name.includes('test.'))
    .flatMap((name) => [...readFileSync(join(folder, name), 'utf8').matchAll(/'([\w-]+)'/g)])
    .map(([, word = '']) => word);
}
