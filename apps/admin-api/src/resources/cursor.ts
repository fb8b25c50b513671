/**
 * Cursors name the last item of a page by its key: the next page is what comes after it in the list's order, whatever
 * came or went between. They belong to one list with one filter.
 */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { ProblemError } from '../handler.ts';

/** Parts are compared one after the other. */
export type Key = readonly string[];

/** Of what a cursor holds. Another one is of another version of this program. */
const VERSION = 1;
const CONTENT = z.tuple([z.literal(VERSION), z.string().max(32), z.string().max(32)], z.string().max(512));

export class Cursors {
  readonly #list: string;
  readonly #filter: string;

  /** `filter`: all parameters but limit and cursor. */
  constructor(list: string, filter: Readonly<Record<string, string | undefined>>) {
    this.#list = list;
    const parts = Object.entries(filter)
      .filter(([, value]) => value !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    this.#filter = createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 16);
  }

  encode(last: Key): string {
    return Buffer.from(JSON.stringify([VERSION, this.#list, this.#filter, ...last])).toString('base64url');
  }

  /** Undefined without a cursor: from the first item. Throws ProblemError. */
  decode(cursor: string | undefined, parts: number): Key | undefined {
    if (cursor === undefined) return undefined;
    const content = contentOf(cursor);
    if (Array.isArray(content) && typeof content[0] === 'number' && content[0] !== VERSION) {
      throw new ProblemError('cursor-expired', 'the cursor is of another version of this API: read the list anew');
    }
    const parsed = CONTENT.safeParse(content);
    if (!parsed.success) throw refused('it is none that this API has given');
    const [, list, filter, ...key] = parsed.data;
    if (list !== this.#list || key.length !== parts) throw refused(`it is of ${list}, this is ${this.#list}`);
    if (filter !== this.#filter) throw refused('it is of a list with another filter: give the same parameters again');
    return key;
  }
}

function contentOf(cursor: string): unknown {
  if (!/^[\w-]+$/.test(cursor)) return undefined;
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}

function refused(why: string): ProblemError {
  const detail = `the cursor cannot be read: ${why}`;
  return new ProblemError('invalid', detail, { errors: [{ pointer: '#query/cursor', detail }] });
}

export function compareKeys(a: Key, b: Key): number {
  for (const [index, part] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    if (part !== other) return part < other ? -1 : 1;
  }
  return a.length - b.length;
}
