import { nearestName } from './nearest-name.ts';
import type { CommandLine } from './command-line.ts';
import { environmentName, type FlagSpec, type NameOf } from './flag-spec.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The flags of one program. */
export interface FlagTable<Spec extends FlagSpec = FlagSpec> {
  readonly specs: readonly Spec[];
  /** Of the environment variables: `FLANNELD_`. */
  readonly prefix: string;
}

interface Given {
  readonly values: readonly string[];
  /** How the user wrote it: `--iface` or `FLANNELD_IFACE`. */
  readonly origin: string;
}

/**
 * Values of flags: the command line first, then the environment (an empty variable counts as unset, as in flannel),
 * then the default. Reading a value that is wrong adds a problem and gives the default, so that all are found at once.
 */
export class FlagValues<Spec extends FlagSpec> {
  readonly problems: string[];
  readonly warnings: string[];
  private readonly given: ReadonlyMap<string, Given>;
  private readonly specs: ReadonlyMap<string, FlagSpec>;

  constructor({ specs, prefix }: FlagTable<Spec>, line: CommandLine, environment: Environment) {
    this.specs = new Map(specs.map((spec) => [spec.name, spec]));
    this.given = collect({ specs, prefix }, line, environment);
    this.problems = [...line.problems];
    this.warnings = unknownVariables({ specs, prefix }, environment);
    for (const spec of specs) this.react(spec);
  }

  isSet(name: string): boolean {
    return this.given.has(name);
  }

  /** The flag as the user wrote it, for messages. */
  origin(name: string): string {
    return this.given.get(name)?.origin ?? `--${name}`;
  }

  text(name: NameOf<Spec, 'text'>): string {
    return this.last(name);
  }

  texts(name: NameOf<Spec, 'texts'>): readonly string[] {
    return this.given.get(name)?.values ?? [];
  }

  switch(name: NameOf<Spec, 'switch'>): boolean {
    const value = this.last(name);
    const parsed = parseGoBool(value);
    if (parsed === undefined) this.problem(name, value, 'true or false');
    return parsed ?? this.initial(name) === 'true';
  }

  integer(name: NameOf<Spec, 'integer'>, min: number, max: number): number {
    const value = this.last(name);
    const parsed = /^[+-]?[0-9]{1,15}$/.test(value) ? Number(value) : NaN;
    if (parsed >= min && parsed <= max) return parsed;
    this.problem(name, value, `a number within ${min}..${max}`);
    return Number(this.initial(name));
  }

  problem(name: string, value: string, expected: string): void {
    this.problems.push(`${this.origin(name)} is ${JSON.stringify(value)}: expected ${expected}`);
  }

  private last(name: string): string {
    return this.given.get(name)?.values.at(-1) ?? this.initial(name);
  }

  private initial(name: string): string {
    return this.specs.get(name)?.initial ?? '';
  }

  private react(spec: FlagSpec): void {
    const given = this.given.get(spec.name);
    if (given === undefined || spec.reaction === undefined) return;
    const value = given.values.at(-1) ?? '';
    const isDefault =
      spec.kind === 'switch' ? parseGoBool(value) === (spec.initial === 'true') : value === spec.initial;
    if (isDefault) return;
    switch (spec.reaction.type) {
      case 'later':
        this.problems.push(`${given.origin} is not supported yet: it needs ${spec.reaction.needs}`);
        break;
      case 'removed':
        this.problems.push(`${given.origin} does not exist any more: ${spec.reaction.reason}`);
        break;
      case 'no-effect':
        this.warnings.push(`${given.origin} has no effect: ${spec.reaction.reason}`);
        break;
    }
  }
}

function collect({ specs, prefix }: FlagTable, line: CommandLine, environment: Environment): Map<string, Given> {
  const given = new Map<string, Given>();
  for (const { name } of specs) {
    const values = line.values.get(name);
    if (values !== undefined) {
      given.set(name, { values, origin: `--${name}` });
      continue;
    }
    const origin = environmentName(prefix, name);
    const value = environment[origin];
    if (value !== undefined && value !== '') given.set(name, { values: [value], origin });
  }
  return given;
}

/**
 * A warning alone: Kubernetes itself sets such variables (FLANNELD_SERVICE_HOST) when a Service is named flanneld.
 */
function unknownVariables({ specs, prefix }: FlagTable, environment: Environment): string[] {
  const known = specs.map((spec) => environmentName(prefix, spec.name));
  const warnings: string[] = [];
  for (const name of Object.keys(environment).sort()) {
    if (!name.startsWith(prefix) || known.includes(name)) continue;
    const nearest = nearestName(name, known);
    warnings.push(`${name} is not known and has no effect${nearest === undefined ? '' : `: did you mean ${nearest}?`}`);
  }
  return warnings;
}

/** The texts of Go's strconv.ParseBool. */
function parseGoBool(text: string): boolean | undefined {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false;
  return undefined;
}
