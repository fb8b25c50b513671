/** Whether a query can find what it asks for: its metrics, their types and the labels that are there at each step. */
import { type ExportedMetric, type ScrapedProgram, TARGET_LABELS } from './exported-metrics.ts';
import { type Matcher, parsePromQl, type PromExpr } from './promql.ts';

export interface QueryCheck {
  /** Empty: the query is sound. */
  readonly problems: readonly string[];
  /** Of its result. */
  readonly labels: readonly string[];
}

/** Labels, or undefined for a number. */
type Shape =
  { readonly labels: ReadonlySet<string>; /** rate of a histogram's buckets */ readonly buckets?: boolean } | undefined;

const COUNTER_FUNCTIONS = ['rate', 'increase', 'irate'];
const GAUGE_FUNCTIONS = ['changes', 'delta', 'min_over_time', 'max_over_time', 'avg_over_time'];
const SET_OPERATORS = ['and', 'or', 'unless'];
const WITH_PARAMETER = ['topk', 'bottomk', 'quantile'];
const WITHOUT_LABELS = { labels: new Set<string>() };

export function checkQuery(text: string, programs: readonly ScrapedProgram[]): QueryCheck {
  const checker = new Checker(programs);
  try {
    const shape = checker.shapeOf(parsePromQl(text));
    return { problems: checker.problems, labels: [...(shape?.labels ?? [])] };
  } catch (error) {
    return { problems: [(error as Error).message], labels: [] };
  }
}

class Checker {
  readonly problems: string[] = [];
  readonly #programs: readonly ScrapedProgram[];

  constructor(programs: readonly ScrapedProgram[]) {
    this.#programs = programs;
  }

  shapeOf(expr: PromExpr): Shape {
    switch (expr.type) {
      case 'number':
        return undefined;
      case 'string':
        this.problems.push(`"${expr.value}" is a text`);
        return undefined;
      case 'selector':
        return this.#instant(expr);
      case 'call':
        return this.#call(expr);
      case 'aggregate':
        return this.#aggregate(expr);
      case 'binary':
        return this.#binary(expr);
    }
  }

  #instant(selector: PromExpr & { readonly type: 'selector' }): Shape {
    const { name, range } = selector;
    const { type, labels } = this.#series(selector);
    if (range !== undefined) this.problems.push(`${name}[${range}] is not in a function over time`);
    if (type === 'counter') this.problems.push(`the counter ${name} is not in rate() or increase()`);
    return { labels };
  }

  /** What the selector finds: the type of the series, and the labels that each of them has. */
  #series({ name, matchers }: PromExpr & { readonly type: 'selector' }): {
    readonly type: 'counter' | 'gauge' | undefined;
    readonly buckets: boolean;
    readonly labels: ReadonlySet<string>;
  } {
    const selected = this.#selectedPrograms(name, matchers);
    const found = selected.flatMap((program) => {
      const series = seriesOf(program, name);
      return series === undefined ? [] : [{ program, ...series }];
    });
    const [first] = found;
    if (first === undefined) {
      this.problems.push(`no program exports ${name}${selected.length < this.#programs.length ? ' for this job' : ''}`);
      return { type: undefined, buckets: false, labels: new Set(TARGET_LABELS) };
    }
    if (found.some(({ type }) => type !== first.type)) this.problems.push(`${name} is of several types`);
    const labels = new Set(
      [...TARGET_LABELS, ...first.labels].filter((label) => found.every((each) => has(each, label))),
    );
    for (const { label, op, value } of matchers) {
      if (!labels.has(label)) this.problems.push(`${name} has no label ${label}`);
      else if (!TARGET_LABELS.includes(label) && label !== 'le') {
        for (const word of wordsIn(op, value)) {
          if (!found.some(({ program }) => program.words.has(word)))
            this.problems.push(`no program gives ${name} a ${label} "${word}"`);
        }
      }
    }
    return { type: first.type, buckets: first.buckets, labels };
  }

  #selectedPrograms(name: string, matchers: readonly Matcher[]): readonly ScrapedProgram[] {
    const jobs = matchers.filter(({ label }) => label === 'job');
    for (const { op, value } of jobs) {
      for (const word of wordsIn(op, value)) {
        if (!this.#programs.some(({ job }) => job === word)) this.problems.push(`${name}: there is no job "${word}"`);
      }
    }
    return this.#programs.filter(({ job }) => jobs.every((matcher) => matches(matcher, job)));
  }

  #call({ name, args }: PromExpr & { readonly type: 'call' }): Shape {
    const [first, second] = args;
    const count = name === 'time' ? 0 : ['histogram_quantile', 'clamp_min', 'clamp_max'].includes(name) ? 2 : 1;
    if (args.length !== count) this.problems.push(`${name}() takes ${count} arguments, not ${args.length}`);
    if (COUNTER_FUNCTIONS.includes(name) || GAUGE_FUNCTIONS.includes(name)) return this.#overTime(name, first);
    switch (name) {
      case 'time':
        return undefined;
      case 'vector':
        return WITHOUT_LABELS;
      case 'absent': {
        if (first?.type !== 'selector') {
          this.problems.push('absent() is asked of a selector');
          return WITHOUT_LABELS;
        }
        this.#series(first);
        return { labels: new Set(first.matchers.filter(({ op }) => op === '=').map(({ label }) => label)) };
      }
      case 'histogram_quantile': {
        const shape = second && this.shapeOf(second);
        if (shape?.buckets !== true || !shape.labels.has('le'))
          this.problems.push('histogram_quantile() needs rate() of a …_bucket, summed by le');
        return { labels: new Set([...(shape?.labels ?? [])].filter((label) => label !== 'le')) };
      }
      case 'clamp_min':
      case 'clamp_max':
        return first && this.shapeOf(first);
      default:
        this.problems.push(`${name}() is not known here`);
        return undefined;
    }
  }

  #overTime(name: string, range: PromExpr | undefined): Shape {
    if (range?.type !== 'selector' || range.range === undefined) {
      this.problems.push(`${name}() needs a range`);
      return undefined;
    }
    const { type, buckets, labels } = this.#series(range);
    const wanted = COUNTER_FUNCTIONS.includes(name) ? 'counter' : 'gauge';
    if (type !== undefined && type !== wanted) this.problems.push(`${name}() of ${range.name}, which is a ${type}`);
    return { labels, buckets };
  }

  #aggregate({ op, args, grouping }: PromExpr & { readonly type: 'aggregate' }): Shape {
    const inner = args.at(-1);
    if (inner === undefined || args.length !== (WITH_PARAMETER.includes(op) ? 2 : 1)) {
      this.problems.push(`${op}() has ${args.length} arguments`);
      return undefined;
    }
    const shape = this.shapeOf(inner);
    if (shape === undefined) {
      this.problems.push(`${op}() of a number`);
      return undefined;
    }
    for (const label of grouping?.labels ?? []) {
      if (!shape.labels.has(label)) this.problems.push(`${op}() groups by ${label}, which is not there`);
    }
    const named = new Set(grouping?.labels ?? []);
    const kept = grouping?.by === false ? [...shape.labels].filter((label) => !named.has(label)) : [...named];
    const labels = op.endsWith('k') ? shape.labels : new Set(kept);
    return { labels, buckets: shape.buckets === true && op === 'sum' };
  }

  #binary({ op, left, right, matching }: PromExpr & { readonly type: 'binary' }): Shape {
    const [a, b] = [this.shapeOf(left), this.shapeOf(right)];
    if (a === undefined || b === undefined) {
      if (SET_OPERATORS.includes(op)) this.problems.push(`${op} of a number`);
      return a ?? b;
    }
    const matched = new Set(
      matching === undefined
        ? a.labels.union(b.labels)
        : matching.on
          ? matching.labels
          : a.labels.union(b.labels).difference(new Set(matching.labels)),
    );
    // Sides of "or" that do not match are both kept.
    if (op === 'or') return { labels: a.labels.intersection(b.labels) };
    for (const label of matched) {
      if (!a.labels.has(label) || !b.labels.has(label))
        this.problems.push(`the sides of ${op} never match: one alone has ${label}`);
    }
    if (op === 'and' || op === 'unless' || matching?.group === 'left') return { labels: a.labels };
    return { labels: matching?.group === 'right' ? b.labels : matched };
  }
}

function has({ labels }: { readonly labels: readonly string[] }, label: string): boolean {
  return TARGET_LABELS.includes(label) || labels.includes(label);
}

/** Series by their name, which is the metric's but for histograms; `up` is Prometheus' own, for each target. */
function seriesOf(
  { metrics }: ScrapedProgram,
  name: string,
): { readonly type: 'counter' | 'gauge'; readonly labels: readonly string[]; readonly buckets: boolean } | undefined {
  if (name === 'up') return { type: 'gauge', labels: [], buckets: false };
  const [, base = '', part] = /^(.*)_(bucket|sum|count)$/.exec(name) ?? [];
  const histogram: ExportedMetric | undefined = metrics.get(base);
  if (histogram?.type === 'histogram') {
    const buckets = part === 'bucket';
    return { type: 'counter', labels: [...histogram.labels, ...(buckets ? ['le'] : [])], buckets };
  }
  const metric = metrics.get(name);
  if (metric === undefined || metric.type === 'histogram') return undefined;
  return { type: metric.type, labels: metric.labels, buckets: false };
}

/** Grafana's variables and wildcards can be anything. */
function wordsIn(op: Matcher['op'], value: string): readonly string[] {
  const words = op === '=~' || op === '!~' ? value.split('|') : [value];
  return words.filter((word) => !/[$*+]/.test(word));
}

function matches({ op, value }: Matcher, text: string): boolean {
  if (value.includes('$')) return true;
  const equal = op === '=' || op === '!=' ? value === text : new RegExp(`^(?:${value})$`).test(text);
  return op.startsWith('!') ? !equal : equal;
}
