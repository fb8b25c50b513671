/** What is wrong in one file: every object of the kinds that canal reads. */
import { isJsonObject, type JsonObject, textAt, valueAt } from '../objects/json-object.ts';
import { type FieldFinding, type Finding, pointerOf } from './finding.ts';
import { type LocatedDocument, parseLocated, type Path } from './located-text.ts';
import { looksLikeNetConf, validateCniConf, validateNetConf } from './validate-net-conf.ts';
import { validatePolicy } from './validate-policy.ts';

export interface FileReport {
  readonly findings: readonly Finding[];
  /** Objects that were looked at: `NetworkPolicy shop/db`. */
  readonly checked: readonly string[];
  /** Kinds of objects that canal does not read. */
  readonly passedOver: readonly string[];
}

export function validateFile(text: string, file: string, defaultNamespace: string): FileReport {
  const { documents, faults } = parseLocated(text);
  const report: Report = {
    findings: faults.map(({ line, message }) => ({
      severity: 'error',
      file,
      ...(line !== undefined && { line }),
      pointer: '',
      message: `no YAML or JSON: ${message}`,
    })),
    checked: [],
    passedOver: [],
  };
  for (const document of documents) {
    const scope = { file, text, document, defaultNamespace, report };
    if (isJsonObject(document.value)) validateObject(scope, document.value, []);
    else add(scope, undefined, [], [{ severity: 'error', path: [], message: 'a document is no object' }]);
  }
  return report;
}

interface Report {
  readonly findings: Finding[];
  readonly checked: string[];
  readonly passedOver: string[];
}

interface Scope {
  readonly file: string;
  readonly text: string;
  readonly document: LocatedDocument;
  readonly defaultNamespace: string;
  readonly report: Report;
}

function validateObject(scope: Scope, object: JsonObject, at: Path): void {
  const { report, defaultNamespace } = scope;
  const kind = textAt(object, 'kind') ?? '';
  const items = object['items'];
  if (kind.endsWith('List') && Array.isArray(items)) {
    for (const [index, item] of items.entries()) {
      const path = [...at, 'items', index];
      if (isJsonObject(item)) validateObject(scope, item, path);
      else add(scope, undefined, path, [{ severity: 'error', path: [], message: `items[${index}] is no object` }]);
    }
  } else if (kind === 'NetworkPolicy') {
    const name = `${kind} ${textAt(object, 'metadata', 'namespace') ?? defaultNamespace}/${nameOf(object)}`;
    if (report.checked.includes(name)) {
      const message = 'stands in the file before: the latter counts';
      add(scope, name, at, [{ severity: 'warning', path: [], message }]);
    }
    report.checked.push(name);
    add(scope, name, at, validatePolicy(object, defaultNamespace));
  } else if (kind === 'ConfigMap') {
    validateConfigMap(scope, object, at);
  } else if (kind === '' && at.length === 0 && looksLikeNetConf(scope.file, Object.keys(object))) {
    report.checked.push('net-conf.json');
    add(scope, undefined, at, validateNetConf(scope.text));
  } else if (kind === '') {
    add(scope, undefined, at, [
      { severity: 'error', path: [], message: 'kind is missing: expected that of an object' },
    ]);
  } else {
    report.passedOver.push(kind);
  }
}

const KEYS = [
  ['net-conf.json', validateNetConf],
  ['cni-conf.json', validateCniConf],
] as const;

function validateConfigMap(scope: Scope, object: JsonObject, at: Path): void {
  const present = KEYS.filter(([key]) => valueAt(object, 'data', key) !== undefined);
  if (present.length === 0) {
    scope.report.passedOver.push('ConfigMap');
    return;
  }
  const name = `ConfigMap ${textAt(object, 'metadata', 'namespace') ?? scope.defaultNamespace}/${nameOf(object)}`;
  scope.report.checked.push(name);
  for (const [key, validate] of present) {
    const text = valueAt(object, 'data', key);
    const path = [...at, 'data', key];
    if (typeof text === 'string') addInner(scope, `${name} ${key}`, path, text, validate(text));
    else add(scope, name, path, [{ severity: 'error', path: [], message: `data[${JSON.stringify(key)}] is no text` }]);
  }
}

function nameOf(object: JsonObject): string {
  return textAt(object, 'metadata', 'name') ?? '';
}

function add(scope: Scope, object: string | undefined, at: Path, findings: readonly FieldFinding[]): void {
  for (const { severity, path, message } of findings) {
    const full = [...at, ...path];
    scope.report.findings.push({
      severity,
      file: scope.file,
      line: scope.document.lineOf(full),
      ...(object !== undefined && { object }),
      pointer: pointerOf(full),
      message,
    });
  }
}

/** Findings in a text that is a value: the pointer is the value's, the line that of the field in it. */
function addInner(scope: Scope, object: string, at: Path, text: string, findings: readonly FieldFinding[]): void {
  const first = scope.document.blockLineOf(at);
  const [inner] = parseLocated(text).documents;
  for (const { severity, path, message } of findings) {
    const line =
      first === undefined || inner === undefined
        ? (first ?? scope.document.lineOf(at))
        : first + inner.lineOf(path) - 1;
    scope.report.findings.push({ severity, file: scope.file, line, object, pointer: pointerOf(at), message });
  }
}
