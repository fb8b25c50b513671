/** What of net-conf.json may be told to others than its readers: fields of backends that are there today. */

/** Those of backends that encrypt hold keys. */
const FIELDS: ReadonlySet<string> = new Set([
  'Network',
  'IPv6Network',
  'EnableIPv4',
  'EnableIPv6',
  'SubnetLen',
  'SubnetMin',
  'SubnetMax',
  'IPv6SubnetLen',
  'IPv6SubnetMin',
  'IPv6SubnetMax',
]);
const BACKEND_FIELDS: ReadonlySet<string> = new Set(['Type', 'VNI', 'Port', 'GBP', 'Learning', 'DirectRouting', 'MTU']);

interface KnownFields {
  readonly known: Readonly<Record<string, unknown>>;
  /** `Backend.PSK`, with its value. */
  readonly others: ReadonlyMap<string, unknown>;
}

/** Of whatever JSON; values that are no text, number or boolean are others, too. */
export function knownNetConfFields(value: unknown): KnownFields {
  const { Backend: backend, ...top } = recordOf(value);
  const others = new Map<string, unknown>();
  const picked = (record: object, fields: ReadonlySet<string>, prefix: string): Record<string, unknown> => {
    const entries = Object.entries(record).filter(([name, field]) => {
      const isKnown = fields.has(name) && ['string', 'number', 'boolean'].includes(typeof field);
      if (!isKnown) others.set(`${prefix}${name}`, field);
      return isKnown;
    });
    return Object.fromEntries(entries);
  };
  const known = picked(top, FIELDS, '');
  return { known: { ...known, Backend: picked(recordOf(backend), BACKEND_FIELDS, 'Backend.') }, others };
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
