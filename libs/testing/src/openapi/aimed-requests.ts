/** Requests that are wrong in one known way: each must be refused with the status that is documented for it. */
import type { ApiRequest } from './api-exchange.ts';
import type { ApiDocument, Operation } from './document.ts';
import { schemaErrors } from './json-schema.ts';
import type { RequestPlan } from './request-plan.ts';
import { mutated, textsOf } from './schema-values.ts';
import { seeded } from './seeded.ts';
import { needsIfMatch, type RequestParts, requestOf, type ValidRequests } from './valid-requests.ts';

export interface Aim {
  /** Any of them will do. */
  readonly statuses: readonly number[];
  /** One after the other; the last one's answer counts. */
  readonly requests: readonly ApiRequest[];
  readonly why: string;
}

/** More than any API of this workspace takes. */
const TOO_LONG = `{"a":"${'x'.repeat(1 << 20)}"}`;
const TOO_DEEP = '['.repeat(40) + ']'.repeat(40);
const NOT_JSON = ['', '{"a":', '\ufeff{}', '{"a":[{"__proto__":1}]}', 'NaN'];
/** Of this kind in one exercise: the rest is chance's. */
const MUTATIONS = 10;

export async function aimedRequests(
  api: ApiDocument,
  operation: Operation,
  valid: ValidRequests,
  plan: RequestPlan,
): Promise<readonly Aim[]> {
  const chance = seeded(plan.seed);
  const parts = await valid.plain(operation, chance);
  const aims: Aim[] = [];
  const add = (status: number | readonly number[], why: string, ...wrong: readonly Partial<RequestParts>[]): void => {
    const requests = wrong.map((one) => requestOf({ ...parts, ...one }));
    aims.push({ statuses: typeof status === 'number' ? [status] : status, requests, why });
  };
  const withHeaders = (headers: Readonly<Record<string, string>>): Partial<RequestParts> => ({
    headers: { ...parts.headers, ...headers },
  });

  addAccessAims(operation, parts, plan, add);
  const otherType = operation.isStream ? 'application/json' : 'text/event-stream';
  add(406, 'another media type is wanted', withHeaders({ accept: otherType }));
  add(422, 'a parameter is not known', { query: [...parts.query, ['noSuchParameter', '1']] });
  for (const parameter of operation.parameters) {
    const { name, in: place } = parameter;
    if (place === 'header') continue;
    const { invalid } = textsOf(parameter, api.components);
    for (const text of invalid) {
      // An empty name is another path.
      if (place === 'path' && text === '') continue;
      const others = parts.query.filter(([other]) => other !== name);
      const wrong =
        place === 'path' ? { path: { ...parts.path, [name]: text } } : { query: [...others, [name, text] as const] };
      // A path that is too long, or names what nobody could, may be refused before its schema is looked at.
      add(place === 'path' ? [422, 404, 400] : 422, `${name} is ${JSON.stringify(text)}`, wrong);
    }
    if (name === 'cursor') {
      const query = [...parts.query, ['cursor', plan.samples.expiredCursor] as const];
      add(410, 'the cursor is of another version', { query });
      add(422, 'the cursor is made up', { query: [...parts.query, ['cursor', 'bm8tY3Vyc29y']] });
    }
  }
  const named = Object.keys(parts.path);
  if (named.length > 0) {
    add(404, 'nothing has the name', { path: absentPath(api, operation) });
  }
  if (operation.body === undefined) {
    const body = { ...withHeaders({ 'content-type': 'application/json' }), body: '{}' };
    add(400, 'a body where none belongs', body);
  } else addBodyAims(api, operation, parts, add, plan);
  if (needsIfMatch(operation)) {
    const { 'if-match': _tag, ...others } = parts.headers;
    add(428, 'there is no If-Match', { headers: others });
    add(428, 'If-Match is *', withHeaders({ 'if-match': '*' }));
    add(400, 'If-Match is no entity tag', withHeaders({ 'if-match': 'v1' }));
    add(412, 'If-Match is of nothing', withHeaders({ 'if-match': '"no-such-tag"' }));
  }
  for (const { status, path, body } of plan.samples.refused[operation.id]?.(valid.found) ?? []) {
    const wrong = { ...(path !== undefined && { path }), ...(body !== undefined && { body: JSON.stringify(body) }) };
    add(status, 'what it names or says', wrong);
  }
  return aims;
}

/** What a parameter takes and nothing has: documentation's addresses (RFC 5737, RFC 3849), and a name. */
const ABSENT = ['no-such-thing', '192.0.2.254', '2001:db8::fe', '192.0.2.0/24'];

function absentPath({ components }: ApiDocument, { id, parameters }: Operation): Readonly<Record<string, string>> {
  const places = parameters.filter((parameter) => parameter.in === 'path');
  return Object.fromEntries(
    places.map(({ name, schema }) => {
      const absent = ABSENT.find((text) => schemaErrors(text, schema, components).length === 0);
      if (absent === undefined) throw new Error(`${id}: nothing is known that ${name} takes and nothing has`);
      return [name, absent];
    }),
  );
}

type Add = (status: number | readonly number[], why: string, ...wrong: readonly Partial<RequestParts>[]) => void;

function addAccessAims(operation: Operation, { headers }: RequestParts, plan: RequestPlan, add: Add): void {
  if (operation.role === undefined) return;
  const { authorization: _token, ...anonymous } = headers;
  const withToken = (token: string): Partial<RequestParts> => ({
    headers: { ...anonymous, authorization: `Bearer ${token}` },
  });
  add(401, 'there is no token', { headers: anonymous });
  add(401, 'nobody knows the token', withToken('A'.repeat(43)));
  const needed = plan.roles.findIndex(({ name }) => name === operation.role);
  for (const { name, token } of plan.roles.slice(0, needed)) add(403, `${name} may not`, withToken(token));
  if (plan.strangerToken !== undefined) add(403, 'a stranger may not', withToken(plan.strangerToken));
}

function addBodyAims(
  { components }: ApiDocument,
  { body: schema = {}, method }: Operation,
  { headers, body = '' }: RequestParts,
  add: Add,
  plan: RequestPlan,
): void {
  for (const text of NOT_JSON) add(400, 'the body is no JSON', { body: text });
  add(400, 'the body is no UTF-8', { body: Uint8Array.of(0x22, 0xff, 0x22) });
  add(413, 'the body is too long', { body: TOO_LONG });
  add(413, 'the body is too deep', { body: TOO_DEEP });
  add(415, 'the body is of another kind', { headers: { ...headers, 'content-type': 'text/plain' } });
  const text = typeof body === 'string' ? body : '';
  if (method === 'POST') {
    const key = { ...headers, 'idempotency-key': `exercise-${plan.seed}-${Math.trunc(performance.now() * 1000)}` };
    // The same to a reader of JSON, and other bytes.
    add(409, 'the key was used for another request', { headers: key }, { headers: key, body: `${text} ` });
    add(400, 'the key is none', { headers: { ...headers, 'idempotency-key': 'with blank' } });
  }
  const chance = seeded(plan.seed + 1);
  for (let added = 0, tries = 0; added < MUTATIONS && tries < 20 * MUTATIONS; tries++) {
    const value = mutated(JSON.parse(text) as never, chance);
    const wrong = JSON.stringify(value);
    const [error] = schemaErrors(JSON.parse(wrong), schema, components);
    if (error === undefined) continue;
    add(422, `the body is not as its schema says: ${error}`, { body: wrong });
    added++;
  }
}
