/** Requests of an operation that must be answered, made of what the API has told. None changes anything. */
import type { ApiRequest } from './api-exchange.ts';
import type { ApiDocument, Operation, Parameter } from './document.ts';
import type { Found } from './found.ts';
import { isObject, type Json, type JsonObject, textOf } from './json-schema.ts';
import { parsedJson } from './judge-answer.ts';
import type { RequestPlan } from './request-plan.ts';
import { sampleOf, textsOf } from './schema-values.ts';
import type { Seeded } from './seeded.ts';

export interface RequestParts {
  readonly operation: Operation;
  readonly path: Readonly<Record<string, string>>;
  readonly query: readonly (readonly [string, string])[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
}

export function requestOf({ operation, path, query, headers, body }: RequestParts): ApiRequest {
  const search = query.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
  return {
    method: operation.method,
    path: `${filledPath(operation, path)}${search === '' ? '' : `?${search}`}`,
    headers,
    ...(body !== undefined && { body }),
    ...(operation.isStream && { isStream: true }),
  };
}

export class ValidRequests {
  readonly #api: ApiDocument;
  readonly #plan: RequestPlan;
  readonly found: Found;

  constructor(api: ApiDocument, plan: RequestPlan, found: Found) {
    this.#api = api;
    this.#plan = plan;
    this.found = found;
  }

  /** Whether a request may be made at all: a write that cannot be tried only where somebody has thought of its body. */
  isHarmless({ id, method, role, parameters }: Operation): boolean {
    if (method === 'GET' || role === this.#plan.roles[0]?.name) return true;
    return parameters.some(({ name }) => name === 'dryRun') || this.#plan.samples.bodies[id] !== undefined;
  }

  /** False: nothing is there that it could be asked about. */
  isAnswerable({ id }: Operation): boolean {
    return this.#plan.samples.paths[id]?.(this.found).length !== 0;
  }

  /** The least that is needed: no parameter that can be left out. */
  async plain(operation: Operation, chance: Seeded): Promise<RequestParts> {
    const path = this.#pathOf(operation, chance);
    const current = await this.#current(operation, path);
    const body = operation.body && JSON.stringify(chance.pick(this.bodies(operation, current?.body)));
    return {
      operation,
      path,
      query: operation.parameters.some(({ name }) => name === 'dryRun') ? [['dryRun', 'true']] : [],
      headers: {
        ...this.headersFor(operation),
        ...(current?.etag !== undefined && needsIfMatch(operation) && { 'if-match': current.etag }),
      },
      ...(body !== undefined && { body }),
    };
  }

  /** With some of the parameters that can be left out. */
  async varied(operation: Operation, chance: Seeded): Promise<RequestParts> {
    const parts = await this.plain(operation, chance);
    const query = operation.parameters
      .filter(({ in: place, name }) => place === 'query' && name !== 'dryRun' && chance.chance(0.5))
      .flatMap((parameter) => this.#valueOf(operation, parameter, chance));
    // A cursor belongs to its list and filter, and pages of another length are pages of the same list.
    const others = query.filter(([name]) => name !== 'cursor');
    const isWhole = others.every(([name]) => name === 'limit');
    return { ...parts, query: [...parts.query, ...(isWhole ? query : others)] };
  }

  /** Of the least role that may. */
  headersFor({ role, body }: Operation): Readonly<Record<string, string>> {
    const token = this.tokenOf(role);
    return {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    };
  }

  tokenOf(role: string | undefined): string | undefined {
    if (role === undefined) return undefined;
    const found = this.#plan.roles.find(({ name }) => name === role);
    if (found === undefined) throw new Error(`no token has the role ${role}`);
    return found.token;
  }

  bodies({ id, body }: Operation, current: JsonObject | undefined): readonly Json[] {
    const samples = this.#plan.samples.bodies[id]?.(this.found) ?? [];
    if (samples.length > 0) return samples;
    return [current ?? sampleOf(body ?? {}, this.#api.components)];
  }

  #pathOf({ id, path, parameters }: Operation, chance: Seeded): Readonly<Record<string, string>> {
    const samples = this.#plan.samples.paths[id]?.(this.found) ?? [];
    if (samples.length > 0) return chance.pick(samples);
    const items = this.found.itemsAbove(path);
    const item = items.length === 0 ? undefined : chance.pick(items);
    const places = parameters.filter((parameter) => parameter.in === 'path');
    return Object.fromEntries(
      places.map(({ name, schema }) => [name, textOf(item?.[name] ?? sampleOf(schema, this.#api.components))]),
    );
  }

  /** What is there now, with its entity tag. */
  async #current(
    operation: Operation,
    path: Readonly<Record<string, string>>,
  ): Promise<{ readonly body: JsonObject | undefined; readonly etag: string | undefined } | undefined> {
    const reader = this.#api.operations.find((one) => one.method === 'GET' && one.path === operation.path);
    if (operation.method === 'GET' || reader === undefined) return undefined;
    const request = { operation: reader, path, query: [], headers: this.headersFor(reader) };
    const answer = await this.#plan.send(requestOf(request));
    const body = parsedJson(answer.text);
    return { body: answer.status === 200 && isObject(body) ? body : undefined, etag: answer.headers['etag'] };
  }

  #valueOf({ path }: Operation, parameter: Parameter, chance: Seeded): readonly (readonly [string, string])[] {
    const { name, schema } = parameter;
    if (name === 'cursor') {
      const cursor = this.found.cursor(path);
      return cursor === undefined ? [] : [[name, cursor]];
    }
    const isFree = schema['type'] === 'string' && schema['enum'] === undefined;
    const texts = isFree ? this.found.texts(name, path) : textsOf(parameter, this.#api.components).valid;
    return texts.length === 0 ? [] : [[name, chance.pick(texts)]];
  }
}

export function needsIfMatch({ parameters }: Operation): boolean {
  return parameters.some(({ name, in: place }) => place === 'header' && name === 'If-Match');
}

function filledPath({ path }: Operation, values: Readonly<Record<string, string>>): string {
  return path.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => encodeURIComponent(values[name] ?? ''));
}
