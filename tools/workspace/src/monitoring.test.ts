/** deploy/grafana, deploy/prometheus and docs/monitoring.md ask for what the programs export, and for nothing else. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { exportedMetrics, TARGET_LABELS } from './exported-metrics.ts';
import { parsePromQl } from './promql.ts';
import { checkQuery } from './query-check.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly options?: { readonly content?: string };
  readonly targets?: readonly { readonly refId: string; readonly expr: string; readonly legendFormat: string }[];
}

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

const dashboard = JSON.parse(read('deploy/grafana/canal.json')) as {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
};
const charts = dashboard.panels.filter(({ type }) => type !== 'row' && type !== 'text');
const targets = charts.flatMap(({ title, targets: list = [] }) => list.map((target) => ({ title, ...target })));

const rules = parse(read('deploy/prometheus/canal-alerts.yaml')) as {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Alert[] }[];
};
const alerts = rules.groups.flatMap((group) => group.rules);
const document = read('docs/monitoring.md');
const programs = await exportedMetrics();
const metricsOf = (job: string) => programs.find((program) => program.job === job)?.metrics;

/** Known to Grafana (its `valueFormats`), and right for what is shown here. */
const UNITS = ['none', 's', 'bytes', 'percentunit', 'pps', 'cps', 'ops', 'reqps', 'suffix: bytes'];

test('the programs are asked for their metrics', () => {
  expect(metricsOf('canal-flanneld')?.get('canal_peer_rtt_seconds')).toEqual({ type: 'histogram', labels: [] });
  expect(metricsOf('canal-policy-agent')?.get('canal_denied_packets_total')).toEqual({
    type: 'counter',
    labels: ['direction', 'reason'],
  });
  expect(metricsOf('canal-admin-api')?.get('canal_admin_requests_total')).toEqual({
    type: 'counter',
    labels: ['operation', 'status'],
  });
  for (const { job, metrics } of programs) {
    if (job !== 'canal-admin-api') {
      expect(metrics.get('canal_problems')).toEqual({ type: 'gauge', labels: ['severity'] });
    }
    expect(metrics.get('process_cpu_seconds_total')).toEqual({ type: 'counter', labels: [] });
  }
});

describe('dashboard', () => {
  test.each(targets)('$title, $refId: $expr', ({ expr, legendFormat }) => {
    const { problems, labels } = checkQuery(expr, programs);
    expect(problems).toEqual([]);
    for (const [, label = ''] of legendFormat.matchAll(/\{\{\s*(\w+)\s*\}\}/g)) expect(labels).toContain(label);
  });

  test('variables are made of labels that are there, and none is used that is not made', () => {
    const made = dashboard.templating.list.map(({ name }) => name);
    expect(made).toEqual(['datasource', 'node']);
    for (const { definition } of dashboard.templating.list.filter((each) => each.definition !== undefined)) {
      const [, metric = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(definition ?? '') ?? [];
      expect(checkQuery(`count by (${label}) (${metric})`, programs).problems).toEqual([]);
    }
    const used = [...JSON.stringify(dashboard.panels).matchAll(/\$\{?(\w+)/g)].map(([, name]) => name);
    expect([...new Set(used)].sort()).toEqual(['__rate_interval', ...made].sort());
  });

  test('every chart has a title of its own, a description and a unit, and each row says in a sentence what it is', () => {
    expect(charts.length).toBeGreaterThan(30);
    expect(new Set(charts.map(({ title }) => title)).size).toBe(charts.length);
    for (const { title, description, fieldConfig, targets: list = [] } of charts) {
      expect(title).not.toBe('');
      expect(description, title).toMatch(/^[A-Z0-9].{15,}\.$/);
      expect(UNITS, title).toContain(fieldConfig?.defaults.unit);
      expect(new Set(list.map(({ refId }) => refId)).size, title).toBe(Math.max(1, list.length));
    }
    for (const [index, { type, title }] of dashboard.panels.entries()) {
      if (type !== 'row') continue;
      expect(dashboard.panels[index + 1], title).toMatchObject({ type: 'text', options: { content: /\.$/ } });
    }
  });

  test('panels have ids of their own, lie within the 24 columns and do not overlap', () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const [index, { title, gridPos: a }] of panels.entries()) {
      expect(a.x + a.w, title).toBeLessThanOrEqual(24);
      for (const { title: other, gridPos: b } of panels.slice(index + 1)) {
        const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
        expect(apart, `${title} and ${other}`).toBe(true);
      }
    }
  });
});

describe('alerts', () => {
  test.each(alerts)('$alert', ({ alert, expr, for: lasts, labels: own = {}, annotations = {} }) => {
    const { problems, labels } = checkQuery(expr, programs);
    expect(problems).toEqual([]);
    expect(lasts).toMatch(/^\d+[mh]$/);
    expect(['critical', 'warning', 'info']).toContain(own['severity']);
    expect(annotations['summary']).toMatch(/\S{2}/);
    expect(annotations['description']).toMatch(/^Cause: .+ Next: .*`(?:kubectl|curl) .+`/);
    expect(annotations['runbook']).toBe(`docs/monitoring.md#${alert.toLowerCase()}`);
    expect(document).toMatch(new RegExp(`^### ${alert}\\n\\n.{40}`, 'm'));
    for (const text of Object.values(annotations)) {
      for (const [, template = ''] of text.matchAll(/\{\{(.*?)\}\}/g)) {
        const [, label] =
          /^ (?:\$labels\.(\w+)|\$value(?: \| humanize(?:Duration)?)?) $/.exec(template) ?? expect.fail(text);
        if (label !== undefined) expect([...labels, ...Object.keys(own)]).toContain(label);
      }
    }
  });

  test('each has a name of its own, and the document explains no other', () => {
    const names = alerts.map(({ alert }) => alert);
    expect(names.length).toBeGreaterThan(20);
    expect(new Set(names).size).toBe(names.length);
    expect([...document.matchAll(/^### (\w+)$/gm)].map(([, name]) => name)).toEqual(names);
  });

  test('panels that they name are on the dashboard', () => {
    const named = alerts.flatMap(({ annotations = {} }) => [
      ...(annotations['description'] ?? '').matchAll(/the dashboard's "([^"]+)"/g),
    ]);
    expect(named.length).toBeGreaterThan(0);
    for (const [, title] of named) expect(charts.map((each) => each.title)).toContain(title);
  });

  test("promtool's tests ask for alerts that exist, with series that programs give", () => {
    interface PromtoolTests {
      readonly rule_files: readonly string[];
      readonly tests: readonly {
        readonly name: string;
        readonly input_series: readonly { readonly series: string }[];
        readonly promql_expr_test: readonly { readonly expr: string }[];
      }[];
    }
    /** Series are given as they are, counters too; versions and families are put together while the program runs. */
    const isOfInput = (problem: string): boolean =>
      /rate\(\) or increase\(\)$|^no program gives canal_(?:build|lease)_info a/.test(problem);
    const unit = parse(read('deploy/prometheus/canal-alerts.test.yaml')) as PromtoolTests;
    expect(unit.rule_files).toEqual(['canal-alerts.yaml']);
    expect(unit.tests.length).toBeGreaterThan(10);
    for (const { name, input_series: series, promql_expr_test: asked } of unit.tests) {
      for (const { series: text } of series) {
        const found = checkQuery(text, programs).problems.filter((problem) => !isOfInput(problem));
        expect(found, text).toEqual([]);
      }
      for (const { expr } of asked) {
        parsePromQl(expr);
        const [, wanted = ''] = /ALERTS\{alertname=~?"([^"]+)"/.exec(expr) ?? expect.fail(name);
        for (const each of wanted.split('|')) expect(alerts.map(({ alert }) => alert)).toContain(each);
      }
    }
  });
});

describe('a query that is spoilt is found', () => {
  const queries = [...new Set([...targets, ...alerts].map(({ expr }) => expr))];
  const spoilt = (pattern: RegExp, by: (found: string) => string): readonly string[] =>
    queries.flatMap((query) =>
      [...query.matchAll(pattern)].map(({ 0: found, index }) => {
        return query.slice(0, index) + by(found) + query.slice(index + found.length);
      }),
    );

  test.each([
    ['a metric that nobody exports', /\b(?:canal|process)_\w+/g, (name: string) => `${name}x`],
    ['a label in a matcher', /\b\w+(?==~?")/g, () => 'nowhere'],
    ['a label to group by', /(?<=(?:by|on) \([^)]*)\b\w+/g, () => 'nowhere'],
    ['a value of a label', /(?<=(?:state|severity|reason|job)=~?")[\w-]+/g, (value: string) => `${value}x`],
    ['a counter as a gauge', /\b(?:rate|increase)(?=\()/g, () => 'delta'],
    ['a gauge as a counter', /\bchanges(?=\()/g, () => 'rate'],
    ['a range that is missing', /\[[^\]]+\]/g, () => ''],
    ['a quantile of no buckets', /_bucket(?=\{|\[)/g, () => '_count'],
    ['a quantile without le', /\ble, /g, () => ''],
    ['a quantile of le alone', /\ble(?=\))/g, () => 'node'],
    ['a bracket', /\)$/g, () => ''],
  ])('%s', (_title, pattern, by) => {
    const all = spoilt(pattern, by);
    expect(all.length).toBeGreaterThan(0);
    for (const query of all) expect(checkQuery(query, programs).problems, query).not.toEqual([]);
  });

  test.each([
    ['canal_denied_packets_total', 'the counter canal_denied_packets_total is not in rate() or increase()'],
    ['canal_peer_rtt_seconds', 'no program exports canal_peer_rtt_seconds'],
    ['rate(canal_problems_bucket[5m])', 'no program exports canal_problems_bucket'],
    ['rate(canal_policy_endpoints[5m])', 'rate() of canal_policy_endpoints, which is a gauge'],
    ['canal_peers{job="canal-policy-agent"}', 'no program exports canal_peers for this job'],
    ['sum by (kind) (increase(canal_dataplane_errors_total[5m]))', 'sum() groups by kind, which is not there'],
    ['sum by (kind) (sum by (node) (canal_policy_unreadable_objects))', 'sum() groups by kind, which is not there'],
    ['canal_problems{severity="fatal"}', 'no program gives canal_problems a severity "fatal"'],
    ['canal_problems / canal_peers', 'the sides of / never match: one alone has severity'],
    ['up{job="flanneld"}', 'up: there is no job "flanneld"'],
    ['sum(time())', 'sum() of a number'],
    ['predict(canal_peers)', 'predict() is not known here'],
    ['canal_peers{state="silent"', 'canal_peers{state="silent": expected ",", found "" (token 6)'],
    ['canal_peers ? 1', 'canal_peers ? 1: cannot be read from " ? 1" on'],
  ])('%s', (query, problem) => {
    expect(checkQuery(query, programs).problems).toContain(problem);
  });
});

describe('docs/monitoring.md', () => {
  test.each([
    ['canal-flanneld', 'Metrics\n'],
    ['canal-admin-api', 'The admin API\n'],
  ])('names each metric of %s with its labels', (job, title) => {
    const section = document.split(/^## /m).find((text) => text.startsWith(title)) ?? '';
    const rows = [...section.matchAll(/^\| `(canal_\w+)` +\| ([^|]*)\|/gm)].map(([, name = '', labels = '']) => [
      name,
      [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label),
    ]);
    const exported = [...(metricsOf(job) ?? [])].filter(([name]) => name.startsWith('canal_'));
    expect(rows.sort()).toEqual(exported.map(([name, { labels }]) => [name, [...labels]]).sort());
  });

  interface RelabelRule {
    readonly source: readonly string[];
    readonly regex: string;
    readonly target?: string;
    readonly replacement: string;
    readonly keeps: boolean;
  }

  /** Prometheus writes snake_case, the operator camelCase. */
  function ruleOf(rule: Readonly<Record<string, unknown>>): RelabelRule {
    const target = rule['target_label'] ?? rule['targetLabel'];
    return {
      source: (rule['source_labels'] ?? rule['sourceLabels']) as readonly string[],
      regex: (rule['regex'] as string | undefined) ?? '(.*)',
      ...(target !== undefined && { target: target as string }),
      replacement: (rule['replacement'] as string | undefined) ?? '$1',
      keeps: rule['action'] === 'keep',
    };
  }

  type Labels = Readonly<Record<string, string>>;

  /** As Prometheus does it: undefined for a target that is dropped. */
  function relabelled(list: readonly RelabelRule[], target: Labels): Labels | undefined {
    let labels = target;
    for (const { source, regex, target: to, replacement, keeps } of list) {
      const text = source.map((name) => labels[name] ?? '').join(';');
      const pattern = new RegExp(`^(?:${regex})$`, 's');
      const matches = pattern.test(text);
      if (keeps && !matches) return undefined;
      if (!keeps && matches && to !== undefined) labels = { ...labels, [to]: text.replace(pattern, replacement) };
    }
    return labels;
  }

  const blocks = [...document.matchAll(/```yaml\n(.*?)```/gs)].map(
    ([, text = '']) => parse(text) as Readonly<Record<string, unknown>>,
  );
  const [scrape, monitor] = [
    blocks.find((block) => block['scrape_configs'] !== undefined),
    blocks.find((block) => block['kind'] === 'PodMonitor'),
  ] as unknown as [
    { readonly scrape_configs: readonly [{ readonly relabel_configs: readonly Record<string, unknown>[] }] },
    {
      readonly metadata: { readonly namespace: string };
      readonly spec: {
        readonly selector: { readonly matchLabels: Labels };
        readonly podMetricsEndpoints: readonly [{ readonly relabelings: readonly Record<string, unknown>[] }];
      };
    },
  ];
  const configurations = [
    ['scrape_configs', scrape.scrape_configs[0].relabel_configs.map(ruleOf)],
    ['PodMonitor', monitor.spec.podMetricsEndpoints[0].relabelings.map(ruleOf)],
  ] as const;

  interface DaemonSet {
    readonly kind: string;
    readonly metadata: { readonly namespace: string };
    readonly spec: {
      readonly template: {
        readonly metadata: { readonly labels: Labels };
        readonly spec: {
          readonly initContainers: readonly { readonly name: string }[];
          readonly containers: readonly { readonly name: string; readonly args: readonly string[] }[];
        };
      };
    };
  }
  const objects = parseAllDocuments(read('deploy/canal.yaml')).map((each) => each.toJS() as DaemonSet);
  const daemonSet = objects.find(({ kind }) => kind === 'DaemonSet') ?? expect.fail('no DaemonSet');
  const { metadata, spec: pod } = daemonSet.spec.template;

  test('the monitor selects the pods', () => {
    expect(monitor.metadata.namespace).toBe(daemonSet.metadata.namespace);
    expect(metadata.labels).toMatchObject(monitor.spec.selector.matchLabels);
  });

  test.each(configurations)(
    '%s finds both agents, by IPv4 and IPv6, under the labels that queries use',
    (kind, list) => {
      for (const [ip, host] of [
        ['192.0.2.7', '192.0.2.7'],
        ['2001:db8::7', '[2001:db8::7]'],
      ] as const) {
        /** What Prometheus finds of a container without ports; the operator adds three labels. */
        const found = (container: string): Labels => ({
          __address__: ip,
          __meta_kubernetes_pod_ip: ip,
          __meta_kubernetes_namespace: daemonSet.metadata.namespace,
          __meta_kubernetes_pod_name: 'canal-node-x7k2p',
          __meta_kubernetes_pod_node_name: 'node-1',
          __meta_kubernetes_pod_container_name: container,
          __meta_kubernetes_pod_label_k8s_app: metadata.labels['k8s-app'] ?? '',
          ...(kind === 'PodMonitor' && { namespace: 'canal-system', pod: 'canal-node-x7k2p', container }),
        });
        for (const { name, args } of pod.containers) {
          const [, port] = /^--healthz-port=(\d+)$/m.exec(args.join('\n')) ?? expect.fail(name);
          const labels = relabelled(list, found(name));
          expect(labels).toMatchObject({
            __address__: `${host}:${port}`,
            job: `canal-${name}`,
            node: 'node-1',
            namespace: 'canal-system',
            pod: 'canal-node-x7k2p',
            container: name,
          });
          expect(programs.map(({ job }) => job)).toContain(labels?.['job']);
          for (const label of TARGET_LABELS.filter((each) => each !== 'instance')) expect(labels).toHaveProperty(label);
        }
        for (const { name } of pod.initContainers) expect(relabelled(list, found(name))).toBeUndefined();
      }
    },
  );
});
