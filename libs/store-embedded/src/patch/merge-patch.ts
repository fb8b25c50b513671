import { isJson, type Json } from '../json.ts';

/** RFC 7386: `null` removes, objects merge, everything else replaces. The inputs are left as they are. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isJson(patch)) return patch;
  const result: Json = isJson(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(result, name);
    // Not by assignment: a member called __proto__ must become a member.
    else Object.defineProperty(result, name, { ...MEMBER, value: mergePatch(result[name], value) });
  }
  return result;
}

const MEMBER = { writable: true, enumerable: true, configurable: true };
