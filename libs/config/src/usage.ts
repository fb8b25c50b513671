import { environmentName } from './flag-spec.ts';
import type { FlagTable } from './flag-values.ts';

/** The flags of a table, as --help lists them. */
export function renderFlags({ specs, prefix }: FlagTable): string {
  return specs.map((spec) => renderFlag(spec, prefix)).join('');
}

function renderFlag(spec: FlagTable['specs'][number], prefix: string): string {
  const { name, kind, initial, help, reaction } = spec;
  const placeholder = { text: ' <text>', texts: ' <text>', integer: ' <number>', switch: '' }[kind];
  const shown = initial === '' ? '' : ` (default ${initial})`;
  const note =
    reaction === undefined
      ? ''
      : { later: ' [not supported yet]', removed: ' [removed]', 'no-effect': ' [no effect]' }[reaction.type];
  return `  --${name}${placeholder}${note}\n      ${help}${shown}\n      ${environmentName(prefix, name)}\n`;
}
