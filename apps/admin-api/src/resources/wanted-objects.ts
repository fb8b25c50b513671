/** Objects that a comparison is asked about, beside those of the cluster that have their names. */
import { appliedObject, LAST_APPLIED } from '@canal/api-schema';
import type { FieldTree, KubeObject, Parse } from '@canal/store-port';

type JsonObject = Readonly<Record<string, unknown>>;

/** What is read of an object beside what it is parsed from: who has set its fields. */
export const APPLIED_FIELDS = {
  resourceVersion: true,
  annotations: { [LAST_APPLIED]: true },
} as const satisfies FieldTree;

export class WantedObjects {
  readonly #wanted: readonly JsonObject[];
  readonly #names: ReadonlySet<string>;
  readonly #live = new Map<string, JsonObject>();

  constructor(wanted: readonly JsonObject[]) {
    this.#wanted = wanted;
    this.#names = new Set(wanted.map((object) => nameOf(textAt(object, 'kind'), object['metadata'])));
  }

  /** As `parse`, and keeps what is asked about as the API server has it. */
  watching<T>(kind: string, parse: Parse<T>): Parse<T> {
    return (object: KubeObject) => {
      const name = nameOf(kind, object.metadata);
      if (this.#names.has(name)) this.#live.set(name, object);
      return parse(object);
    };
  }

  /** As `kubectl apply` leaves them, one after the other. */
  applied(): JsonObject[] {
    const live = new Map(this.#live);
    return this.#wanted.map((object) => {
      const name = nameOf(textAt(object, 'kind'), object['metadata']);
      const before = live.get(name);
      if (before === undefined) return object;
      const after = appliedObject(before, object);
      live.set(name, after);
      return after;
    });
  }
}

/** Of what is no object, or has no name, it is nobody's. */
function nameOf(kind: string, metadata: unknown): string {
  return `${kind} ${textAt(metadata, 'namespace')}/${textAt(metadata, 'name')}`;
}

function textAt(value: unknown, field: string): string {
  const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, field) : undefined;
  return typeof found === 'string' ? found : '';
}
