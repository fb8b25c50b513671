/**
 * Go's flag syntax (package flag): -name and --name are one, -name=value, -name value except for switches, -- ends the
 * flags. Values are kept as text, in the order given; reading them is the next step's.
 */
import type { FlagSpec } from './flag-spec.ts';
import { nearestName } from './nearest-name.ts';

export interface CommandLine {
  /** Values by flag name, in the order given; a switch without a value holds `true`. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly problems: readonly string[];
}

export function parseCommandLine(argv: readonly string[], specs: readonly FlagSpec[]): CommandLine {
  const values = new Map<string, string[]>();
  const problems: string[] = [];
  const kinds = new Map(specs.map((spec) => [spec.name, spec.kind]));
  kinds.set('h', 'switch');
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? '';
    if (argument === '--') {
      refuseRest(argv.slice(index + 1), problems);
      break;
    }
    const flag = /^--?([^-=][^=]*)(?:=([\s\S]*))?$/.exec(argument);
    if (flag === null) {
      // Go stops here and ignores what follows; a flag lost that way is found much later.
      problems.push(`unexpected argument ${JSON.stringify(argument)}: flags begin with - or --`);
      continue;
    }
    const [, name = '', inline] = flag;
    const kind = kinds.get(name);
    if (kind === undefined) {
      problems.push(unknownFlag(name, [...kinds.keys()]));
      continue;
    }
    const value = inline ?? (kind === 'switch' ? 'true' : argv[++index]);
    if (value === undefined) problems.push(`--${name} needs a value`);
    else values.set(name, [...(values.get(name) ?? []), value]);
  }
  return { values, problems };
}

function refuseRest(rest: readonly string[], problems: string[]): void {
  for (const argument of rest) problems.push(`unexpected argument ${JSON.stringify(argument)} after --`);
}

function unknownFlag(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  const hint = nearest === undefined ? 'see --help' : `did you mean --${nearest}?`;
  return `unknown flag --${name}: ${hint}`;
}
