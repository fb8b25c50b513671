/**
 * What "apply" changes: the fields of the new manifest are set, those that the last apply had set and the new one no
 * longer names are removed, all others (a controller's, another tool's) stay. The result is a merge patch (RFC 7386),
 * so lists are replaced as a whole, also where the live one has only more in it: nobody can tell the server's defaults
 * from what somebody added.
 */
import { isJsonObject, type JsonObject, textOf } from './json-object.ts';

/** kubectl's annotation, so that the two tools can take turns. */
export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** The merge patch; undefined when nothing is to be changed. */
export function threeWayMerge(last: JsonObject, wanted: JsonObject, live: JsonObject): JsonObject | undefined {
  const patch: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(wanted)) {
    const [before, now] = [own(last, name), own(live, name)];
    if (isJsonObject(value) && isJsonObject(now)) {
      const inner = threeWayMerge(isJsonObject(before) ? before : {}, value, now);
      if (inner !== undefined) patch[name] = inner;
    } else if (!deepEqual(value, now)) {
      patch[name] = value;
    }
  }
  for (const name of Object.keys(last)) {
    if (!Object.hasOwn(wanted, name) && Object.hasOwn(live, name)) patch[name] = null;
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

/**
 * The object as `kubectl apply` leaves it: what the wanted one does not name stays, if others set it. What an API server gave
 * without word of an apply was set by others; what stands in a file was applied from there.
 */
export function appliedObject(live: JsonObject, wanted: JsonObject): JsonObject {
  const isServers = textOf(metadataOf(live)['resourceVersion']) !== undefined;
  const last = lastApplied(live) ?? (isServers ? {} : live);
  const patch = threeWayMerge(withoutStatus(last), declared(wanted, live), live);
  return patch === undefined ? live : mergePatch(live, patch);
}

/** Nobody applies a status; a manifest that has one of its own, of a dump, shows it. */
function withoutStatus({ status: _status, ...object }: JsonObject): JsonObject {
  return object;
}

/** A dump says in which version and with which identity it was made: no change of the object. */
function declared(object: JsonObject, live: JsonObject): JsonObject {
  const { uid } = metadataOf(live);
  return { ...object, metadata: { ...metadataOf(object), ...(uid !== undefined && { uid }) } };
}

function metadataOf({ metadata }: JsonObject): JsonObject {
  return isJsonObject(metadata) ? metadata : {};
}

/** The target as a merge patch makes it (RFC 7386 §2). */
export function mergePatch(target: JsonObject, patch: JsonObject): JsonObject {
  const result: Record<string, unknown> = { ...target };
  for (const [name, value] of Object.entries(patch)) {
    const now = own(target, name);
    if (value === null) Reflect.deleteProperty(result, name);
    else if (isJsonObject(value)) result[name] = mergePatch(isJsonObject(now) ? now : {}, value);
    else result[name] = value;
  }
  return result;
}

/** What the last apply of this or another tool had set; undefined when the object was made in another way. */
export function lastApplied(live: JsonObject): JsonObject | undefined {
  const { annotations } = metadataOf(live);
  const text = isJsonObject(annotations) ? textOf(own(annotations, LAST_APPLIED)) : undefined;
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function own(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((one, i) => deepEqual(one, b[i]));
  if (!isJsonObject(a) || !isJsonObject(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => deepEqual(a[name], own(b, name)));
}
