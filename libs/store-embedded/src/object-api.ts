import { randomUUID } from 'node:crypto';

import { alreadyExists, badRequest, forbidden, invalid, notFound } from './api-error.ts';
import { childOf, isJson, type Json, textOf } from './json.ts';
import { metadataErrors } from './metadata-rules.ts';
import type { ObjectDatabase, StoredObject } from './object-database.ts';
import { checkPreconditions, checkUid, checkVersion, keepSystemMetadata, type Preconditions } from './object-update.ts';
import { apiVersionOf, type ResourceDefinition } from './resource.ts';
import { invalidValue } from './value-rules.ts';

/** What the write verbs do, below HTTP: admission of one object into the database. Answers are JSON texts. */
export interface ObjectApiDeps {
  readonly db: ObjectDatabase;
  readonly now: () => Date;
}

/** An object's address. Cluster-scoped objects lie in the namespace without a name. */
export interface Target {
  readonly resource: ResourceDefinition;
  readonly namespace: string;
  readonly name: string;
  readonly subresource?: 'status';
}

export interface WriteOptions {
  /** Do everything but store the result. */
  readonly dryRun: boolean;
}

export interface DeleteOptions extends WriteOptions {
  readonly preconditions: Preconditions;
}

/** What a deletion left: `removed` is false while finalizers hold the object. */
export interface Deletion {
  readonly removed: boolean;
  readonly body: string;
}

export const NAMESPACES_KEY = '/namespaces';
export const DEFINITIONS_KEY = 'apiextensions.k8s.io/customresourcedefinitions';

export class ObjectApi {
  readonly #db: ObjectDatabase;
  readonly #now: () => Date;

  constructor(deps: ObjectApiDeps) {
    this.#db = deps.db;
    this.#now = deps.now;
  }

  get({ resource, namespace, name }: Target): string {
    return this.#require(resource, namespace, name).body;
  }

  create(resource: ResourceDefinition, namespace: string, input: unknown, options: WriteOptions): string {
    const object = decode(resource, namespace, input);
    const metadata = childOf(object, 'metadata');
    if (textOf(metadata, 'resourceVersion') !== '') {
      throw badRequest('resourceVersion should not be set on objects to be created');
    }
    const name = textOf(metadata, 'name') || generateName(textOf(metadata, 'generateName'));
    const { deletionTimestamp: _, deletionGracePeriodSeconds: __, ...given } = metadata;
    object['metadata'] = {
      ...given,
      name,
      uid: randomUUID(),
      creationTimestamp: timestamp(this.#now()),
      ...(resource.hasGeneration ? { generation: 1 } : {}),
    };
    if (resource.initialStatus !== undefined) object['status'] = resource.initialStatus(object);
    else if (resource.statusSubresource) Reflect.deleteProperty(object, 'status');
    resource.schema.setDefaults?.(object);
    validate(resource, name, object);
    this.#requireNamespace(resource, namespace, name);
    if (this.#db.get(resource.storageKey, namespace, name) !== undefined) throw alreadyExists(resource, name);
    return this.#write(resource, namespace, name, object, options);
  }

  update(target: Target, input: unknown, options: WriteOptions): string {
    const object = decode(target.resource, target.namespace, input);
    const given = textOf(childOf(object, 'metadata'), 'name');
    if (given !== target.name) {
      throw badRequest(`the name of the object (${given}) does not match the name on the URL (${target.name})`);
    }
    const stored = this.#require(target.resource, target.namespace, target.name);
    if (!target.resource.unconditionalUpdate && textOf(childOf(object, 'metadata'), 'resourceVersion') === '') {
      const cause = invalidValue('metadata.resourceVersion', 0, 'must be specified for an update');
      throw invalid(target.resource, target.name, [cause]);
    }
    return this.#replace(target, stored, object, options);
  }

  /** `change` makes the new object from a copy of the current one, in the version of the path. */
  patch(target: Target, change: (current: Json) => unknown, options: WriteOptions): string {
    const { resource, namespace, name } = target;
    const stored = this.#require(resource, namespace, name);
    const current = { ...parse(stored.body), apiVersion: apiVersionOf(resource) };
    const object = decode(resource, namespace, change(current));
    if (textOf(childOf(object, 'metadata'), 'name') !== name) {
      throw badRequest(`the name of the object must stay ${JSON.stringify(name)}`);
    }
    return this.#replace(target, stored, object, options);
  }

  delete({ resource, namespace, name }: Target, options: DeleteOptions): Deletion {
    const stored = this.#require(resource, namespace, name);
    const object = parse(stored.body);
    checkPreconditions(resource, name, object, options.preconditions);
    if (options.dryRun) return { removed: true, body: stored.body };
    const metadata = childOf(object, 'metadata');
    if (hasFinalizers(metadata)) {
      if (textOf(metadata, 'deletionTimestamp') !== '') return { removed: false, body: stored.body };
      const marked = { ...metadata, deletionTimestamp: timestamp(this.#now()), deletionGracePeriodSeconds: 0 };
      const body = this.#write(resource, namespace, name, { ...object, metadata: marked }, options);
      return { removed: false, body };
    }
    return { removed: true, body: this.#remove(resource.storageKey, stored, object) };
  }

  /** Removes an object and what cannot be without it: a namespace's contents, the objects of a custom resource. */
  #remove(storageKey: string, stored: StoredObject, object: Json): string {
    if (storageKey === NAMESPACES_KEY) {
      for (const key of this.#db.resourcesIn(stored.name)) this.#removeAll(key, stored.name);
    }
    if (storageKey === DEFINITIONS_KEY) this.#removeAll(definedKey(object));
    let last = stored.body;
    this.#db.delete(storageKey, stored.namespace, stored.name, (version) => {
      last = render(object, version);
      return last;
    });
    return last;
  }

  /** Finalizers of the contents are not waited for: nothing would bring them to their end here. */
  #removeAll(storageKey: string, namespace?: string): void {
    const range = { resource: storageKey, ...(namespace === undefined ? {} : { namespace }) };
    for (const stored of [...this.#db.list(range)]) this.#remove(storageKey, stored, parse(stored.body));
  }

  #replace(target: Target, stored: StoredObject, object: Json, options: WriteOptions): string {
    const { resource } = target;
    const old = parse(stored.body);
    const metadata = childOf(object, 'metadata');
    checkVersion(resource, stored, metadata);
    checkUid(resource, stored.name, metadata, childOf(old, 'metadata'));
    const next = mergeHalves(target, old, object);
    resource.schema.setDefaults?.(next);
    keepSystemMetadata(resource, old, next);
    validate(resource, stored.name, next, old);
    // A write that changes nothing takes no version and wakes no watcher.
    if (Bun.deepEquals(next, old)) return stored.body;
    const nextMetadata = childOf(next, 'metadata');
    if (textOf(nextMetadata, 'deletionTimestamp') !== '' && !hasFinalizers(nextMetadata) && !options.dryRun) {
      return this.#remove(resource.storageKey, stored, next);
    }
    return this.#write(resource, stored.namespace, stored.name, next, options);
  }

  #write(
    resource: ResourceDefinition,
    namespace: string,
    name: string,
    object: Json,
    { dryRun }: WriteOptions,
  ): string {
    const stored: Json = { ...object, apiVersion: resource.storageApiVersion };
    if (dryRun) return JSON.stringify(stored);
    return this.#db.put(resource.storageKey, namespace, name, (version) => render(stored, version)).body;
  }

  #requireNamespace(resource: ResourceDefinition, namespace: string, name: string): void {
    if (!resource.namespaced) return;
    const stored = this.#db.get(NAMESPACES_KEY, '', namespace);
    if (stored === undefined) throw notFound({ group: '', plural: 'namespaces', kind: 'Namespace' }, namespace);
    if (textOf(childOf(parse(stored.body), 'metadata'), 'deletionTimestamp') !== '') {
      const reason = `unable to create new content in namespace ${namespace} because it is being terminated`;
      throw forbidden(resource, name, reason);
    }
  }

  #require(resource: ResourceDefinition, namespace: string, name: string): StoredObject {
    const stored = this.#db.get(resource.storageKey, namespace, name);
    if (stored === undefined) throw notFound(resource, name);
    return stored;
  }
}

/** Checks the form of a request's object: type, fields, namespace. The request's own value is used up by it. */
function decode(resource: ResourceDefinition, namespace: string, object: unknown): Json {
  if (!isJson(object)) throw badRequest('the request body must be a JSON object');
  expectMember(object, 'apiVersion', apiVersionOf(resource));
  expectMember(object, 'kind', resource.kind);
  const { unknown, mistyped } = resource.schema.check(object);
  const errors = [...unknown.map((path) => `unknown field ${JSON.stringify(path)}`), ...mistyped];
  if (errors.length > 0) throw badRequest(`strict decoding error: ${errors.join(', ')}`);
  const metadata = childOf(object, 'metadata');
  const given = textOf(metadata, 'namespace');
  if (given !== '' && given !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  // Who set which field is not tracked here.
  const { managedFields: _, namespace: __, ...rest } = metadata;
  const { kind: ___, apiVersion: ____, ...members } = object;
  return {
    kind: resource.kind,
    apiVersion: resource.storageApiVersion,
    ...members,
    metadata: resource.namespaced ? { ...rest, namespace } : rest,
  };
}

function expectMember(input: Json, member: 'apiVersion' | 'kind', expected: string): void {
  const given = input[member];
  if (given !== undefined && given !== '' && given !== expected) {
    throw badRequest(
      `the ${member} in the data (${JSON.stringify(given)}) does not match the expected ${member} (${expected})`,
    );
  }
}

function validate(resource: ResourceDefinition, name: string, object: Json, old?: Json): void {
  const causes = [...metadataErrors(resource, object), ...(resource.validate?.(object, old) ?? [])];
  if (causes.length > 0) throw invalid(resource, name, causes);
}

/** Only the addressed half is taken from the request. */
function mergeHalves({ resource, subresource }: Target, old: Json, object: Json): Json {
  if (subresource === 'status') {
    const metadata = resource.statusWritesMetadata ? object['metadata'] : old['metadata'];
    return withMember({ ...structuredClone(old), metadata }, 'status', object['status']);
  }
  if (!resource.statusSubresource) return object;
  return withMember({ ...object }, 'status', structuredClone(old['status']));
}

function withMember(object: Json, name: string, value: unknown): Json {
  if (value === undefined) Reflect.deleteProperty(object, name);
  else object[name] = value;
  return object;
}

function hasFinalizers(metadata: Json): boolean {
  const { finalizers } = metadata;
  return Array.isArray(finalizers) && finalizers.length > 0;
}

/** Storage key of the resource that a CustomResourceDefinition defines. */
function definedKey(definition: Json): string {
  const spec = childOf(definition, 'spec');
  return `${textOf(spec, 'group')}/${textOf(childOf(spec, 'names'), 'plural')}`;
}

function render(object: Json, version: number): string {
  return JSON.stringify({ ...object, metadata: { ...childOf(object, 'metadata'), resourceVersion: String(version) } });
}

function parse(body: string): Json {
  const object: unknown = JSON.parse(body);
  return isJson(object) ? object : {};
}

/** The prefix and five letters that form no words, as the API server appends them. */
function generateName(prefix: string): string {
  if (prefix === '') return '';
  const digits = randomUUID().replaceAll('-', '').slice(0, 5);
  const letters = Array.from(digits, (digit) => GENERATED[Number.parseInt(digit, 16)] ?? '');
  return `${prefix.slice(0, 58)}${letters.join('')}`;
}

const GENERATED = 'bcdfghjklmnpqrst';

/** RFC 3339 in seconds. */
function timestamp(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}
