/** Entity tags (RFC 9110 §8.8.3). The API gives strong ones alone. */

export type EntityTags =
  | { readonly any: true }
  | { readonly any: false; readonly tags: readonly { readonly tag: string; readonly weak: boolean }[] };

/** etagc: no quotes, no blanks, no control characters. */
const LIST = /^\s*(?:W\/)?"[\x21\x23-\x7e]*"\s*(?:,\s*(?:W\/)?"[\x21\x23-\x7e]*"\s*)*$/;
const TAG = /(W\/)?"([\x21\x23-\x7e]*)"/g;

/** Of If-Match and If-None-Match; undefined when it cannot be read. */
export function parseEntityTags(header: string): EntityTags | undefined {
  if (header.trim() === '*') return { any: true };
  if (!LIST.test(header)) return undefined;
  return {
    any: false,
    tags: [...header.matchAll(TAG)].map(([, weak, tag = '']) => ({ tag, weak: weak !== undefined })),
  };
}

/** RFC 9110 §13.1.2: weak comparison. */
export function matchesNone(header: string | undefined, etag: string): boolean {
  const given = header === undefined ? undefined : parseEntityTags(header);
  if (given === undefined) return true;
  return !given.any && !given.tags.some(({ tag }) => tag === etag);
}

export function formatEntityTag(etag: string): string {
  return `"${etag}"`;
}
