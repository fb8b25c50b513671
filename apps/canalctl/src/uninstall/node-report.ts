/** What the Job on a node has printed: its report is one line of JSON among those of its log. */
import { parseUninstallReport, type UninstallReport } from '@canal/api-schema';
import { textAt } from '../objects/json-object.ts';

/** Undefined when the log holds none. */
export function findReport(log: string): UninstallReport | undefined {
  for (const line of log.split('\n').reverse()) {
    const report = line.startsWith('{') ? parseUninstallReport(parseJson(line)) : undefined;
    if (report !== undefined) return report;
  }
  return undefined;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Why the program ended without a report: the error lines of its log, in its own words. */
export function lastWords(log: string): string {
  const lines = log.split('\n').filter((line) => line.trim() !== '');
  const messages = lines.map((line) => {
    const entry = parseJson(line);
    return [textAt(entry, 'msg'), textAt(entry, 'cure')].filter((text) => text !== undefined).join('. ') || line;
  });
  return messages.slice(-3).join(' | ').slice(0, 600);
}
