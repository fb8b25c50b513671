import { CLEANUP_FLAGS, environmentName, type FlagSpec, FLAGS } from './flag-table.ts';

const HEADER = `Usage: flanneld [flags]
       flanneld cleanup [--dry-run] [--remove-annotations] [flags]

Node agent: gives pods of this node a way to pods of the others. -flag and --flag are the same; each flag can also be
set by the environment variable named after it. The node is named by NODE_NAME, or by POD_NAME and POD_NAMESPACE.
`;

/** The text of --help. */
export function renderUsage(): string {
  const rows = (specs: readonly FlagSpec[]): string => specs.map(renderFlag).join('');
  return `${HEADER}\nFlags:\n${rows(FLAGS)}\nFlags of cleanup:\n${rows(CLEANUP_FLAGS)}`;
}

function renderFlag(spec: FlagSpec): string {
  const { name, kind, initial, help, reaction } = spec;
  const placeholder = { text: ' <text>', texts: ' <text>', integer: ' <number>', switch: '' }[kind];
  const shown = initial === '' ? '' : ` (default ${initial})`;
  const note =
    reaction === undefined
      ? ''
      : { later: ' [not supported yet]', removed: ' [removed]', 'no-effect': ' [no effect]' }[reaction.type];
  return `  --${name}${placeholder}${note}\n      ${help}${shown}\n      ${environmentName(name)}\n`;
}
