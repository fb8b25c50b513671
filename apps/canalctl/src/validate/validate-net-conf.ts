/** net-conf.json and cni-conf.json, as they stand in a ConfigMap or a file of their own. */
import { type FieldError, formatFieldError, parseNetConf } from '@canal/api-schema';
import { parseConfList } from '@canal/cni-spec';
import { type FieldFinding, pathOfField } from './finding.ts';

const WITHOUT = 'the node agents keep what they had, and new ones do not start';

export function validateNetConf(text: string): readonly FieldFinding[] {
  const parsed = parseNetConf(text);
  if (!parsed.ok) return parsed.error.map(findingOf);
  return parsed.value.warnings.map((message) => ({
    severity: 'warning',
    path: pathOfField(/^[A-Za-z0-9.]*"?([A-Za-z0-9]+)?"?/.exec(message)?.[0].replaceAll('"', '') ?? ''),
    message,
  }));
}

function findingOf(error: FieldError): FieldFinding {
  const message = `${formatFieldError(error)}; ${WITHOUT}`;
  return { severity: 'error', path: pathOfField(error.field), message };
}

/** Whether a document without a kind is one: by its name, or by fields that nothing else has. */
export function looksLikeNetConf(file: string, fields: readonly string[]): boolean {
  const names = fields.map((name) => name.toLowerCase());
  return /(?:^|\/)net-conf\.json$/.test(file) || (names.includes('network') && names.includes('backend'));
}

export function validateCniConf(text: string): readonly FieldFinding[] {
  const parsed = parseConfList(text);
  if (parsed.ok) return [];
  const { message, details } = parsed.error;
  return [
    {
      severity: 'error',
      path: [],
      message: `${details === undefined ? message : `${message}: ${details}`}; no runtime can use it`,
    },
  ];
}
