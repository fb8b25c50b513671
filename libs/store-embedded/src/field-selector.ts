import { badRequest } from './api-error.ts';

/** `path=value` or `path!=value`; all of a selector's terms must hold. */
export interface FieldTerm {
  readonly path: string;
  readonly equal: boolean;
  readonly value: string;
}

/** Reads a field selector whose paths are among `supported`; throws 400 otherwise. */
export function parseFieldSelector(text: string, supported: readonly string[]): readonly FieldTerm[] {
  return text
    .split(',')
    .filter((part) => part !== '')
    .map((part) => {
      const match = TERM.exec(part);
      const path = match?.groups?.['path'];
      if (path === undefined)
        throw badRequest(`invalid field selector ${JSON.stringify(text)}: cannot read ${JSON.stringify(part)}`);
      if (!supported.includes(path)) throw badRequest(`field label not supported: ${path}`);
      return { path, equal: match?.groups?.['operator'] !== '!=', value: match?.groups?.['value'] ?? '' };
    });
}

/** A missing field counts as the empty string, as in the API. */
export function matchesFields(terms: readonly FieldTerm[], object: unknown): boolean {
  return terms.every(({ path, equal, value }) => (fieldText(object, path) === value) === equal);
}

function fieldText(object: unknown, path: string): string {
  let value: unknown = object;
  for (const name of path.split('.')) {
    value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  }
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

const TERM = /^\s*(?<path>[A-Za-z0-9_.-]+)\s*(?<operator>==|=|!=)\s*(?<value>[^,=]*?)\s*$/;
