import { conflict } from './api-error.ts';
import { childOf, type Json, textOf } from './json.ts';
import type { StoredObject } from './object-database.ts';
import type { ResourceDefinition } from './resource.ts';

/** What must hold of an object for it to be changed or removed. */
export interface Preconditions {
  readonly uid?: string;
  readonly resourceVersion?: string;
}

/** A version that was given is the one that the writer has read; none means "whatever is there". */
export function checkVersion(resource: ResourceDefinition, stored: StoredObject, metadata: Json): void {
  const given = textOf(metadata, 'resourceVersion');
  if (given === '' || given === String(stored.version)) return;
  throw conflict(
    resource,
    stored.name,
    'the object has been modified; please apply your changes to the latest version and try again',
  );
}

/** The name may have passed to another object since the writer has read it. */
export function checkUid(resource: ResourceDefinition, name: string, metadata: Json, oldMetadata: Json): void {
  const given = textOf(metadata, 'uid');
  const found = textOf(oldMetadata, 'uid');
  if (given !== '' && given !== found) throw preconditionFailed(resource, name, 'UID', given, found);
}

export function checkPreconditions(
  resource: ResourceDefinition,
  name: string,
  object: Json,
  preconditions: Preconditions,
): void {
  const metadata = childOf(object, 'metadata');
  const { uid, resourceVersion } = preconditions;
  const foundUid = textOf(metadata, 'uid');
  const foundVersion = textOf(metadata, 'resourceVersion');
  if (uid !== undefined && uid !== foundUid) throw preconditionFailed(resource, name, 'UID', uid, foundUid);
  if (resourceVersion !== undefined && resourceVersion !== foundVersion) {
    throw preconditionFailed(resource, name, 'ResourceVersion', resourceVersion, foundVersion);
  }
}

/** Puts back, in place, what writers cannot choose: identity, birth, version, and the count of generations. */
export function keepSystemMetadata(resource: ResourceDefinition, old: Json, next: Json): void {
  const oldMetadata = childOf(old, 'metadata');
  const metadata: Json = { ...childOf(next, 'metadata') };
  for (const name of SYSTEM_FIELDS) {
    if (oldMetadata[name] === undefined) Reflect.deleteProperty(metadata, name);
    else metadata[name] = oldMetadata[name];
  }
  if (resource.hasGeneration) {
    const { generation } = oldMetadata;
    const count = typeof generation === 'number' ? generation : 1;
    metadata['generation'] = Bun.deepEquals(countedPart(resource, next), countedPart(resource, old))
      ? count
      : count + 1;
  }
  next['metadata'] = metadata;
}

const SYSTEM_FIELDS = [
  'uid',
  'creationTimestamp',
  'resourceVersion',
  'generation',
  'generateName',
  'selfLink',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
] as const;

/** What a generation counts changes of: all but metadata, and but status where it is written apart. */
function countedPart(resource: ResourceDefinition, object: Json): Json {
  const { metadata: _, status, ...rest } = object;
  return resource.statusSubresource ? rest : { ...rest, status };
}

function preconditionFailed(
  resource: ResourceDefinition,
  name: string,
  label: string,
  wanted: string,
  found: string,
): Error {
  return conflict(
    resource,
    name,
    `Precondition failed: ${label} in precondition: ${wanted}, ${label} in object meta: ${found}`,
  );
}
