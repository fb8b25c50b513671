import { badRequest, expired, versionTooLarge } from './api-error.ts';
import { parseFieldSelector } from './field-selector.ts';
import { isJson, textOf } from './json.ts';
import { parseLabelSelector } from './label-selector.ts';
import type { ObjectDatabase, StoredObject } from './object-database.ts';
import { type ObjectFilter, passes, passesAll } from './object-filter.ts';
import type { ResourceDefinition } from './resource.ts';

/** The selectors of a list, watch or deletecollection. */
export function readFilter(
  resource: ResourceDefinition,
  namespace: string | undefined,
  query: URLSearchParams,
): ObjectFilter {
  return {
    namespace,
    labels: parseLabelSelector(query.get('labelSelector') ?? ''),
    fields: parseFieldSelector(query.get('fieldSelector') ?? '', resource.fieldSelectors),
  };
}

export interface ListResult {
  /** ListMeta. */
  readonly metadata: object;
  /** JSON texts. */
  readonly items: readonly string[];
}

/** One page of a list, as the query asks for it (limit, continue, resourceVersion, resourceVersionMatch). */
export function readList(
  db: ObjectDatabase,
  resource: ResourceDefinition,
  filter: ObjectFilter,
  query: URLSearchParams,
): ListResult {
  const limit = readLimit(query);
  const start = readStart(db, query, limit > 0);
  const namespace = filter.namespace === undefined ? {} : { namespace: filter.namespace };
  const range = {
    resource: resource.storageKey,
    ...namespace,
    atVersion: start.version,
    ...(start.after === undefined ? {} : { after: start.after }),
  };
  const all = passesAll(filter);
  const items: string[] = [];
  let last: StoredObject | undefined;
  let more = false;
  for (const stored of db.list(range)) {
    if (!all && !passes(filter, JSON.parse(stored.body))) continue;
    if (limit > 0 && items.length === limit) {
      more = true;
      break;
    }
    items.push(stored.body);
    last = stored;
  }
  const after = more && last !== undefined ? { namespace: last.namespace, name: last.name } : undefined;
  const metadata = {
    resourceVersion: String(start.version),
    ...(after === undefined ? {} : { continue: encodeToken({ version: start.version, after }) }),
    // A selector's matches cannot be counted without parsing them all.
    ...(after !== undefined && all ? { remainingItemCount: db.count({ ...range, after }) } : {}),
  };
  return { metadata, items };
}

/** A non-negative decimal; undefined when absent, 400 when it is no version. */
export function readVersion(query: URLSearchParams): number | undefined {
  const text = query.get('resourceVersion') ?? '';
  if (text === '') return undefined;
  if (!DECIMAL.test(text))
    throw badRequest(`invalid resource version ${JSON.stringify(text)}: must be a decimal number`);
  return Number(text);
}

/** A version that cannot have been given out by this server, or 410 for one that is forgotten. */
export function checkVersionKept(db: ObjectDatabase, version: number): void {
  if (version > db.version) throw versionTooLarge(version, db.version);
  if (version < db.compactedVersion) {
    throw expired(`too old resource version: ${String(version)} (${String(db.compactedVersion)})`);
  }
}

interface Start {
  readonly version: number;
  readonly after: { readonly namespace: string; readonly name: string } | undefined;
}

function readStart(db: ObjectDatabase, query: URLSearchParams, limited: boolean): Start {
  const token = query.get('continue') ?? '';
  const version = readVersion(query);
  const match = query.get('resourceVersionMatch') ?? '';
  if (token !== '') {
    if (version !== undefined && version !== 0) {
      throw badRequest('specifying resource version is not allowed when using continue');
    }
    if (match !== '') throw badRequest('resourceVersionMatch is forbidden when continue is provided');
    return readContinue(db, token);
  }
  if (match !== '') {
    if (!MATCHES.includes(match)) throw badRequest(`resourceVersionMatch: Unsupported value: ${JSON.stringify(match)}`);
    if (version === undefined) {
      throw badRequest('resourceVersionMatch is forbidden unless resourceVersion is provided');
    }
    if (match === 'Exact' && version === 0) {
      throw badRequest('resourceVersionMatch "Exact" is forbidden for resourceVersion "0"');
    }
  }
  if (version === undefined || version === 0) return { version: db.version, after: undefined };
  // A limited list from a version, without a match rule, is exact; without a limit any later state will do.
  const exact = match === 'Exact' || (match === '' && limited);
  if (exact) checkVersionKept(db, version);
  else if (version > db.version) checkVersionKept(db, version);
  return { version: exact ? version : db.version, after: undefined };
}

function readContinue(db: ObjectDatabase, token: string): Start {
  const { version, after } = decodeToken(token);
  // The token that comes with "expired": go on at the same key, in the current state.
  if (version === INCONSISTENT) return { version: db.version, after };
  if (version > db.version) throw badRequest('continue key is not valid');
  if (version < db.compactedVersion) {
    throw expired(
      'The provided continue parameter is too old to display a consistent list result. You can start a new list without the ' +
        'continue parameter, or use the continue token in this response to retrieve the remainder of the results.',
      encodeToken({ version: INCONSISTENT, after }),
    );
  }
  return { version, after };
}

interface Token {
  readonly version: number;
  readonly after: { readonly namespace: string; readonly name: string };
}

function encodeToken({ version, after }: Token): string {
  return Buffer.from(JSON.stringify({ rv: version, ns: after.namespace, name: after.name })).toString('base64url');
}

function decodeToken(token: string): Token {
  try {
    const decoded: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    const version = isJson(decoded) ? decoded['rv'] : undefined;
    if (typeof version === 'number' && Number.isSafeInteger(version)) {
      return { version, after: { namespace: textOf(decoded, 'ns'), name: textOf(decoded, 'name') } };
    }
  } catch {
    // Falls through to the one answer for whatever is no token of ours.
  }
  throw badRequest('continue key is not valid');
}

function readLimit(query: URLSearchParams): number {
  const text = query.get('limit') ?? '';
  if (text === '') return 0;
  if (!DECIMAL.test(text))
    throw badRequest(`limit: Invalid value: ${JSON.stringify(text)}: must be a non-negative number`);
  return Number(text);
}

const INCONSISTENT = -1;
const DECIMAL = /^(?:0|[1-9]\d{0,14})$/;
const MATCHES = ['Exact', 'NotOlderThan'];
