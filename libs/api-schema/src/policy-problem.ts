/** How the readers of policy objects tell what they could not read. */
import type { PolicyProblem } from '@canal/model';
import type { FieldError } from './field-error.ts';

/** `spec.ingress[0].ports[1].port is 0: expected a port within 1..65535; this item allows nothing`. */
export function policyProblem(code: PolicyProblem['code'], error: FieldError, consequence: string): PolicyProblem {
  return { code, field: error.field, message: `${describeFieldError(error)}; ${consequence}` };
}

/** As `formatFieldError`, for input of any depth: what is inside an object or a list is not shown. */
export function describeFieldError({ field, value, expected }: FieldError): string {
  const text = value === undefined ? 'missing' : `is ${shown(value)}`;
  return `${field === '' ? 'the object' : field} ${text}: expected ${expected}`;
}

const MAX_SHOWN = 80;

function shown(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value);
  }
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
