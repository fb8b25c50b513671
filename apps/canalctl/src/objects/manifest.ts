import { LineCounter, parseAllDocuments } from 'yaml';
import { UsageError } from '../report-error.ts';
import { isJsonObject, type JsonObject, textAt, valueAt } from './json-object.ts';

/** One object of a file with where it stood. */
export interface Manifest {
  readonly object: JsonObject;
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string | undefined;
  /** `policy.yaml:12`. */
  readonly where: string;
}

const CORRECT = 'correct the file and run the same command again; nothing was changed';
/** Half a minute, and a gigabyte of memory. */
const MAX_YAML = 16 * 1024 * 1024;
/** Of a value that is of the wrong kind. */
const MAX_SHOWN = 60;

/** The objects of a YAML or JSON text; a `List` gives its items. Throws UsageError naming file and line. */
export function parseManifests(text: string, file: string): readonly Manifest[] {
  const json = parseJson(text);
  if (json !== undefined) return readObjects(json, file);
  if (text.length > MAX_YAML) {
    throw new UsageError(`${file}: more than ${MAX_YAML >> 20} MiB of YAML`, 'give it as JSON: kubectl get … -o json');
  }
  const lines = new LineCounter();
  const documents = orRefuse(file, () => parseAllDocuments(text, { lineCounter: lines, logLevel: 'error' }));
  return [...documents].flatMap((document) => {
    const [problem] = document.errors;
    if (problem !== undefined) throw unreadable(file, problem);
    if (document.contents === null) return [];
    const { line } = lines.linePos(document.contents.range[0]);
    const where = `${file}:${line}`;
    const value = orRefuse(where, (): unknown => document.toJS({ maxAliasCount: 100 }));
    // What is behind a last `---`, or comments alone.
    return value === null ? [] : readObjects(value, where);
  });
}

/** JSON is YAML too, but its own reader is a hundred times as fast: files of a whole cluster are large. */
function parseJson(text: string): unknown {
  if (!text.trimStart().startsWith('{')) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The parser throws at aliases that lead nowhere or explode, and runs out of stack where brackets go too deep. */
function orRefuse<T>(where: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw unreadable(where, error);
  }
}

function unreadable(where: string, error: unknown): UsageError {
  const message = error instanceof Error ? error.message : String(error);
  // What follows is a picture of the line.
  const [first = ''] = message.split('\n');
  return new UsageError(`${where}: ${first.replace(/:$/, '')}`, CORRECT);
}

function readObjects(value: unknown, where: string): readonly Manifest[] {
  if (!isJsonObject(value)) throw new UsageError(`${where}: a document is no object`, CORRECT);
  const items = value['items'];
  if (Array.isArray(items) && textAt(value, 'kind')?.endsWith('List') === true) {
    return items.flatMap((item, index) => readObjects(item, `${where} item ${index}`));
  }
  const read = (...path: string[]): string | undefined => {
    const found = valueAt(value, ...path);
    if (found === undefined || found === null || found === '') return undefined;
    if (typeof found === 'string') return found;
    const shown = JSON.stringify(found).slice(0, MAX_SHOWN);
    throw new UsageError(`${where}: ${path.join('.')} is ${shown}: expected a text`, CORRECT);
  };
  const need = (...path: string[]): string => {
    const text = read(...path);
    if (text === undefined) throw new UsageError(`${where}: ${path.join('.')} is missing`, CORRECT);
    return text;
  };
  return [
    {
      object: value,
      apiVersion: need('apiVersion'),
      kind: need('kind'),
      name: need('metadata', 'name'),
      namespace: read('metadata', 'namespace'),
      where,
    },
  ];
}
