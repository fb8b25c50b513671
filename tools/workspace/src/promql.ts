/**
 * Reads the part of PromQL that deploy/ uses (Prometheus' documentation, "Querying"), with Grafana's variables in ranges.
 * Subqueries, `@` and native histograms are not read: they are errors here.
 */

export interface Matcher {
  readonly label: string;
  readonly op: '=' | '!=' | '=~' | '!~';
  readonly value: string;
}

export interface Matching {
  readonly on: boolean;
  readonly labels: readonly string[];
  /** Many on this side have one on the other. */
  readonly group?: 'left' | 'right';
}

export type PromExpr =
  | { readonly type: 'number' }
  | { readonly type: 'string'; readonly value: string }
  | {
      readonly type: 'selector';
      readonly name: string;
      readonly matchers: readonly Matcher[];
      /** Makes it a range: `5m`, `$__rate_interval`. */
      readonly range?: string;
    }
  | { readonly type: 'call'; readonly name: string; readonly args: readonly PromExpr[] }
  | {
      readonly type: 'aggregate';
      readonly op: string;
      readonly args: readonly PromExpr[];
      readonly grouping?: { readonly by: boolean; readonly labels: readonly string[] };
    }
  | {
      readonly type: 'binary';
      readonly op: string;
      readonly left: PromExpr;
      readonly right: PromExpr;
      readonly matching?: Matching;
    };

const AGGREGATIONS = ['sum', 'min', 'max', 'avg', 'count', 'group', 'topk', 'bottomk', 'quantile'];
/** Binding loosest first. */
const PRECEDENCE = [['or'], ['and', 'unless'], ['==', '!=', '<=', '>=', '<', '>'], ['+', '-'], ['*', '/', '%']];
const TOKEN =
  /\s*(?:(?<duration>(?:\d+(?:ms|[smhdwy]))+|\$\w+)|(?<number>\d+(?:\.\d+)?)|(?<name>[a-zA-Z_:][\w:]*)|"(?<string>[^"\\]*)"|(?<sign>=~|!~|!=|==|<=|>=|[-+*/%<>=(){}[\],]))/y;

interface Token {
  readonly type: 'duration' | 'number' | 'name' | 'string' | 'sign' | 'end';
  readonly text: string;
}

/** Throws an Error that says where it stopped. */
export function parsePromQl(text: string): PromExpr {
  return new Parser(text).whole();
}

class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokensOf(text);
  }

  whole(): PromExpr {
    const expr = this.#binary(0);
    if (this.#next.type !== 'end') this.#fail('an operator or the end');
    return expr;
  }

  get #next(): Token {
    return this.#tokens[this.#at] ?? { type: 'end', text: '' };
  }

  #fail(expected: string): never {
    throw new Error(`${this.#text}: expected ${expected}, found "${this.#next.text}" (token ${this.#at + 1})`);
  }

  #is(text: string): boolean {
    return this.#next.text === text && (this.#next.type === 'sign' || this.#next.type === 'name');
  }

  #took(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#at++;
    return true;
  }

  #take(text: string): void {
    if (!this.#took(text)) this.#fail(`"${text}"`);
  }

  #takeType(type: Token['type']): string {
    if (this.#next.type !== type) this.#fail(`a ${type}`);
    const { text } = this.#next;
    this.#at++;
    return text;
  }

  #binary(level: number): PromExpr {
    const operators = PRECEDENCE[level];
    if (operators === undefined) return this.#operand();
    let left = this.#binary(level + 1);
    for (;;) {
      const op = operators.find((each) => this.#took(each));
      if (op === undefined) return left;
      const matching = this.#matching();
      left = { type: 'binary', op, left, right: this.#binary(level + 1), ...(matching && { matching }) };
    }
  }

  #matching(): Matching | undefined {
    const on = this.#took('on');
    if (!on && !this.#took('ignoring')) return undefined;
    const labels = this.#labels();
    for (const group of ['left', 'right'] as const) {
      if (this.#took(`group_${group}`)) return { on, labels, group };
    }
    return { on, labels };
  }

  #labels(): readonly string[] {
    this.#take('(');
    return this.#listUntil(')', () => this.#takeType('name'));
  }

  #listUntil<T>(end: string, item: () => T): readonly T[] {
    const items: T[] = [];
    while (!this.#took(end)) {
      if (items.length > 0) this.#take(',');
      items.push(item());
    }
    return items;
  }

  #operand(): PromExpr {
    if (this.#took('(')) {
      const inner = this.#binary(0);
      this.#take(')');
      return inner;
    }
    if (this.#next.type === 'number') {
      this.#at++;
      return { type: 'number' };
    }
    if (this.#next.type === 'string') return { type: 'string', value: this.#takeType('string') };
    const name = this.#takeType('name');
    if (AGGREGATIONS.includes(name)) return this.#aggregate(name);
    return this.#is('(') ? { type: 'call', name, args: this.#args() } : this.#selector(name);
  }

  #args(): readonly PromExpr[] {
    this.#take('(');
    return this.#listUntil(')', () => this.#binary(0));
  }

  #aggregate(op: string): PromExpr {
    const before = this.#grouping();
    const args = this.#args();
    const grouping = before ?? this.#grouping();
    return { type: 'aggregate', op, args, ...(grouping && { grouping }) };
  }

  #grouping(): { readonly by: boolean; readonly labels: readonly string[] } | undefined {
    const by = this.#took('by');
    return by || this.#took('without') ? { by, labels: this.#labels() } : undefined;
  }

  #selector(name: string): PromExpr {
    const matchers = this.#took('{') ? this.#listUntil('}', () => this.#matcher()) : [];
    if (!this.#took('[')) return { type: 'selector', name, matchers };
    const range = this.#takeType('duration');
    this.#take(']');
    return { type: 'selector', name, matchers, range };
  }

  #matcher(): Matcher {
    const label = this.#takeType('name');
    const op = (['=', '!=', '=~', '!~'] as const).find((each) => this.#took(each)) ?? this.#fail('=, !=, =~ or !~');
    return { label, op, value: this.#takeType('string') };
  }
}

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const from = TOKEN.lastIndex;
    const groups = TOKEN.exec(text)?.groups;
    if (groups === undefined) throw new Error(`${text}: cannot be read from "${text.slice(from, from + 20)}" on`);
    for (const type of ['duration', 'number', 'name', 'string', 'sign'] as const) {
      const found = groups[type];
      if (found !== undefined) tokens.push({ type, text: found });
    }
  }
  return tokens;
}
