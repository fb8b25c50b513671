/**
 * An object read by the rules of Go's encoding/json, which flannel's users rely on: field names in any case (an exact
 * one is not preferred: the last in the text wins), null leaves the default, unknown names are ignored.
 */
import { isRecord } from './field-error.ts';

/** Field names as Go declares them, and which of them are booleans. */
export interface GoFields {
  readonly names: readonly string[];
  readonly booleans: readonly string[];
}

/** The input under canonical names; what was odd but accepted is added to `warnings`. */
export function readGoObject(
  input: unknown,
  fields: GoFields,
  path: string,
  warnings: string[],
): Readonly<Record<string, unknown>> | undefined {
  if (!isRecord(input) || Array.isArray(input)) return undefined;
  const canonical = new Map(fields.names.map((name) => [name.toLowerCase(), name]));
  const read: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(input)) {
    const name = canonical.get(key.toLowerCase());
    if (name === undefined) warnings.push(`${path}${JSON.stringify(key)} is not known and has no effect`);
    else if (value !== null)
      read[name] = fields.booleans.includes(name) ? readBoolean(value, path + name, warnings) : value;
  }
  return read;
}

/**
 * `"true"` in quotes is a common mistake in ConfigMaps: flannel refuses to start with it. What was meant is certain, so
 * it is taken, with a warning; the network must not be down for it.
 */
function readBoolean(value: unknown, field: string, warnings: string[]): unknown {
  if (value !== 'true' && value !== 'false') return value;
  warnings.push(`${field} is a text: write ${value} without quotes`);
  return value === 'true';
}
