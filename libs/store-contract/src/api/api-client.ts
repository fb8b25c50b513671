import { expect } from 'vitest';

import type { ApiSubject } from './subject.ts';

/** A JSON object of which the suite knows no more than what it asserts. */
export type Json = Record<string, unknown>;

export interface Answer {
  readonly status: number;
  readonly body: Json;
}

/** Requests of the suite: JSON in, JSON out, whatever the status. */
export class ApiClient {
  readonly #subject: ApiSubject;

  constructor(subject: ApiSubject) {
    this.#subject = subject;
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.#send('GET', path, undefined, headers);
  }

  /** Servers only warn of unknown fields unless they are asked to be strict. */
  post(path: string, body: unknown): Promise<Answer> {
    return this.#send('POST', strict(path), body);
  }

  put(path: string, body: unknown): Promise<Answer> {
    return this.#send('PUT', strict(path), body);
  }

  patch(path: string, body: unknown, type = 'application/merge-patch+json'): Promise<Answer> {
    return this.#send('PATCH', strict(path), body, { 'Content-Type': type });
  }

  delete(path: string, body?: unknown): Promise<Answer> {
    return this.#send('DELETE', path, body);
  }

  /** Creates, and fails the test when that did not succeed. */
  async create(path: string, body: unknown): Promise<Json> {
    const answer = await this.post(path, body);
    expect(answer, `POST ${path}`).toMatchObject({ status: 201 });
    return answer.body;
  }

  /** A namespace of the test's own. */
  async namespace(): Promise<string> {
    const created = await this.create('/api/v1/namespaces', { metadata: { generateName: 'contract-' } });
    return nameOf(created);
  }

  async #send(
    method: string,
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const response = await this.#subject.fetch(path, {
      method,
      headers: {
        Accept: 'application/json',
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: toJson(text) };
  }
}

export function metadataOf(object: unknown): Json {
  return member(object, 'metadata');
}

export function nameOf(object: unknown): string {
  return String(metadataOf(object)['name']);
}

export function versionOf(object: unknown): string {
  return String(metadataOf(object)['resourceVersion']);
}

export function itemsOf(list: Json): readonly Json[] {
  const items: unknown = list['items'];
  return Array.isArray(items) ? items.filter(isJson) : [];
}

export function namesOf(list: Json): readonly string[] {
  return itemsOf(list).map(nameOf);
}

/** A member that is an object, or an empty one. */
export function member(value: unknown, name: string): Json {
  const found: unknown = isJson(value) ? value[name] : undefined;
  return isJson(found) ? found : {};
}

/** Fields that the causes of an `Invalid` answer name. */
export function causeFields(answer: Answer): readonly string[] {
  const causes: unknown = member(answer.body, 'details')['causes'];
  return Array.isArray(causes) ? causes.map((cause: unknown) => (isJson(cause) ? String(cause['field']) : '')) : [];
}

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function toJson(text: string): Json {
  try {
    const body: unknown = JSON.parse(text);
    return isJson(body) ? body : {};
  } catch {
    return { text };
  }
}

function strict(path: string): string {
  return `${path}${path.includes('?') ? '&' : '?'}fieldValidation=Strict`;
}
