import type { CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import { readTexts } from '../objects/read-manifests.ts';
import { renderValue } from '../output/render-list.ts';
import { printableLine } from '../printable.ts';
import type { Finding } from './finding.ts';
import { type FileReport, validateFile } from './validate-file.ts';

export interface ValidateFlags {
  readonly filename: readonly string[];
  readonly namespace: string;
  readonly output: 'text' | 'json' | 'yaml';
}

export async function runValidate({ terminal, outcome, signal }: CommandContext, flags: ValidateFlags): Promise<void> {
  const reports: FileReport[] = [];
  for (const filename of flags.filename) {
    for (const { text, name } of await readTexts(filename, signal)) {
      reports.push(validateFile(text, name, flags.namespace));
    }
  }
  const findings = reports.flatMap((report) => report.findings);
  const checked = reports.flatMap((report) => report.checked);
  const passedOver = [...new Set(reports.flatMap((report) => report.passedOver))].sort();
  if (findings.some(({ severity }) => severity === 'error')) outcome.exitCode = EXIT.unhealthy;
  if (passedOver.length > 0) terminal.err(`${printableLine(`passed over: ${passedOver.join(', ')}`)}\n`);
  terminal.out(
    flags.output === 'text'
      ? renderFindings(findings, checked.length)
      : await renderValue({ findings, checked, passedOver }, flags.output),
  );
}

export function renderFindings(findings: readonly Finding[], checked: number): string {
  const lines = findings.map(renderFinding);
  const count = (severity: Finding['severity']): number => findings.filter((one) => one.severity === severity).length;
  const sum = `${counted(checked, 'object')}: ${counted(count('error'), 'error')}, ${counted(count('warning'), 'warning')}`;
  return [...lines, sum].map((line) => `${line}\n`).join('');
}

/** `policy.yaml:12: error: NetworkPolicy shop/db: spec.ingress[0]… is …: expected …; what follows`. */
export function renderFinding({ file, line, severity, object, message }: Finding): string {
  const place = line === undefined ? file : `${file}:${line}`;
  return printableLine([place, severity, ...(object === undefined ? [] : [object]), message].join(': '));
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
