/** What the Job on a node has printed: one line of JSON among those of its log. */
import { isJsonObject, textAt } from '../objects/json-object.ts';

export interface NodeReport {
  readonly pods: readonly string[];
  readonly objects: readonly ReportedObject[];
  readonly remaining: readonly string[];
}

export interface ReportedObject {
  readonly kind: string;
  readonly name: string;
  /** removed, restored, would-remove, would-restore, left, failed. */
  readonly outcome: string;
  readonly note?: string;
}

const REPORT_KIND = 'CanalUninstallReport';

/** Undefined when the log holds none. */
export function parseNodeReport(log: string): NodeReport | undefined {
  for (const line of log.split('\n').reverse()) {
    const report = parseLine(line);
    if (report !== undefined) return report;
  }
  return undefined;
}

function parseLine(line: string): NodeReport | undefined {
  if (!line.startsWith('{')) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isJsonObject(json) || json['kind'] !== REPORT_KIND) return undefined;
  return {
    pods: listOf(json['pods']).flatMap((pod) => textAt(pod, 'pod') ?? textAt(pod, 'containerId') ?? []),
    objects: listOf(json['objects']).flatMap((object) => readObject(object) ?? []),
    remaining: listOf(json['remaining']).filter((item) => typeof item === 'string'),
  };
}

function readObject(object: unknown): ReportedObject | undefined {
  const [kind, name, outcome] = [textAt(object, 'kind'), textAt(object, 'name'), textAt(object, 'outcome')];
  if (kind === undefined || name === undefined || outcome === undefined) return undefined;
  const note = textAt(object, 'note');
  return { kind, name, outcome, ...(note !== undefined && { note }) };
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

/** Why the program ended without a report: the error lines of its log, in its own words. */
export function lastWords(log: string): string {
  const lines = log.split('\n').filter((line) => line.trim() !== '');
  const messages = lines.map((line) => {
    try {
      const entry: unknown = JSON.parse(line);
      return [textAt(entry, 'msg'), textAt(entry, 'cure')].filter((text) => text !== undefined).join('. ') || line;
    } catch {
      return line;
    }
  });
  return messages.slice(-3).join(' | ').slice(0, 600);
}
