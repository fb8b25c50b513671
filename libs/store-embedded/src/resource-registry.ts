import { customResources } from './custom/custom-resource.ts';
import { childOf, isJson } from './json.ts';
import { DEFINITIONS_KEY } from './object-api.ts';
import type { ObjectDatabase } from './object-database.ts';
import type { ResourceDefinition } from './resource.ts';

/** A resource that is served, with the signal that ends its watches when it is not any more. */
export interface ServedResource {
  readonly definition: ResourceDefinition;
  readonly signal: AbortSignal;
}

/** The resources that are served now: the built-in ones, and those that the stored CustomResourceDefinitions define. */
export class ResourceRegistry {
  readonly #byKey = new Map<string, ServedResource & { readonly controller: AbortController }>();
  /** Keys that each CustomResourceDefinition brought. */
  readonly #custom = new Map<string, readonly string[]>();

  constructor(builtin: readonly ResourceDefinition[]) {
    for (const definition of builtin) this.#add(definition);
  }

  find(group: string, version: string, plural: string): ServedResource | undefined {
    return this.#byKey.get(keyOf({ group, version, plural }));
  }

  all(): readonly ResourceDefinition[] {
    return Array.from(this.#byKey.values(), (served) => served.definition);
  }

  /** Takes up the stored definitions, and follows their changes. */
  follow(db: ObjectDatabase): void {
    for (const stored of [...db.list({ resource: DEFINITIONS_KEY })]) this.#define(stored.name, stored.body);
    db.onChange((change) => {
      if (change.resource !== DEFINITIONS_KEY) return;
      if (change.deleted) this.#forget(change.name);
      else if (specOf(change.body) !== specOf(change.previous)) this.#define(change.name, change.body);
    });
  }

  #define(name: string, body: string): void {
    const definition: unknown = JSON.parse(body);
    if (!isJson(definition)) return;
    this.#forget(name);
    // What is built in cannot be replaced.
    const resources = customResources(definition).filter((resource) => !this.#byKey.has(keyOf(resource)));
    for (const resource of resources) this.#add(resource);
    this.#custom.set(name, resources.map(keyOf));
  }

  #forget(name: string): void {
    for (const key of this.#custom.get(name) ?? []) {
      this.#byKey.get(key)?.controller.abort();
      this.#byKey.delete(key);
    }
    this.#custom.delete(name);
  }

  #add(definition: ResourceDefinition): void {
    const controller = new AbortController();
    this.#byKey.set(keyOf(definition), { definition, controller, signal: controller.signal });
  }
}

/** Status writes leave open watches alone. */
function specOf(body: string | undefined): string | undefined {
  return body === undefined ? undefined : JSON.stringify(childOf(JSON.parse(body), 'spec'));
}

function keyOf(resource: Pick<ResourceDefinition, 'group' | 'version' | 'plural'>): string {
  return `${resource.group}/${resource.version}/${resource.plural}`;
}
