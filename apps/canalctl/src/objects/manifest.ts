import { isMap, LineCounter, parseAllDocuments } from 'yaml';
import { UsageError } from '../report-error.ts';
import { isJsonObject, type JsonObject, textAt } from './json-object.ts';

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

/** The objects of a YAML or JSON text; a `List` gives its items. Throws UsageError naming file and line. */
export function parseManifests(text: string, file: string): readonly Manifest[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true });
  return [...documents].flatMap((document) => {
    const [problem] = document.errors;
    if (problem !== undefined) throw new UsageError(`${file}: ${problem.message}`, CORRECT);
    if (document.contents === null) return [];
    const { line } = lines.linePos(isMap(document.contents) ? document.contents.range[0] : 0);
    return readObjects(document.toJS({ maxAliasCount: 100 }), `${file}:${line}`);
  });
}

function readObjects(value: unknown, where: string): readonly Manifest[] {
  if (!isJsonObject(value)) throw new UsageError(`${where}: a document is no object`, CORRECT);
  const items = value['items'];
  if (Array.isArray(items) && textAt(value, 'kind')?.endsWith('List') === true) {
    return items.flatMap((item, index) => readObjects(item, `${where} item ${index}`));
  }
  const need = (...path: string[]): string => {
    const text = textAt(value, ...path);
    if (text === undefined || text === '') throw new UsageError(`${where}: ${path.join('.')} is missing`, CORRECT);
    return text;
  };
  return [
    {
      object: value,
      apiVersion: need('apiVersion'),
      kind: need('kind'),
      name: need('metadata', 'name'),
      namespace: textAt(value, 'metadata', 'namespace'),
      where,
    },
  ];
}
