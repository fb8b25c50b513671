/** `-o` of commands that list things: what a list may be printed as. */
import { Option } from 'commander';
import { UsageError } from '../report-error.ts';
import { type FieldPath, parseFieldPath } from './field-path.ts';

export type ListFormat =
  | { readonly type: 'table' | 'wide' | 'json' | 'yaml' | 'name' }
  | { readonly type: 'custom-columns'; readonly columns: readonly CustomColumn[] };

export interface CustomColumn {
  readonly title: string;
  readonly path: FieldPath;
}

const PLAIN = ['table', 'wide', 'json', 'yaml', 'name'] as const;
const CUSTOM = 'custom-columns=';
const HINT = `give one of ${PLAIN.join(', ')}, or ${CUSTOM}TITLE:PATH,… such as ${CUSTOM}NAME:.metadata.name`;

/** Help and completion show the formats; the value is a ListFormat. */
export function listFormatOption(): Option {
  return new Option('-o, --output <format>', 'how to print')
    .choices([...PLAIN, CUSTOM])
    .default({ type: 'table' } satisfies ListFormat, '"table"')
    .argParser(parseListFormat);
}

/** Throws UsageError. */
export function parseListFormat(text: string): ListFormat {
  const plain = PLAIN.find((one) => one === text);
  if (plain !== undefined) return { type: plain };
  if (!text.startsWith(CUSTOM)) throw new UsageError(`--output: ${JSON.stringify(text)} is no format`, HINT);
  return { type: 'custom-columns', columns: columnsOf(text.slice(CUSTOM.length)).map(readColumn) };
}

/** Commas inside brackets and behind `\` part no columns. */
function columnsOf(text: string): readonly string[] {
  return text.match(/(?:\\.|\[[^\]]*\]|[^,])+/gs) ?? [''];
}

function readColumn(text: string): CustomColumn {
  const colon = text.indexOf(':');
  if (colon <= 0) throw new UsageError(`--output: ${JSON.stringify(text)} is no column`, HINT);
  const [title, field] = [text.slice(0, colon), text.slice(colon + 1)];
  const path = parseFieldPath(field);
  if (path !== undefined) return { title, path };
  throw new UsageError(
    `--output: ${JSON.stringify(field)} is no path of a field: expected one such as .metadata.name or .addresses[0]`,
    HINT,
  );
}
