/** The token file's text: JSON or lines. Pure; errors name the line and never what stands in it. */
import { type Role, ROLES } from '@canal/admin-schema';
import * as z from 'zod';
import { tokenHash } from './bearer-token.ts';

export interface TokenEntry {
  readonly user: string;
  readonly role: Role;
}

export type TokenTable =
  /** By hash of the token. */
  | { readonly ok: true; readonly entries: ReadonlyMap<string, TokenEntry> }
  | { readonly ok: false; readonly problem: string };

const MAX_ENTRIES = 1000;

/** 24 characters of base64 are 144 bits. */
const token = z
  .string()
  .min(24, 'a token has at least 24 characters')
  .max(1024)
  .regex(/^[A-Za-z0-9._~+/-]+=*$/, 'a token has letters, digits and -._~+/ alone');
const user = z.string().regex(/^[\w.:@-]{1,253}$/, 'a user has letters, digits and _.:@- alone');
const role = z.enum(ROLES);
const table = z.array(z.strictObject({ token, user, role })).max(MAX_ENTRIES);

/**
 * `[{"token": …, "user": …, "role": "view"}]`, or lines `TOKEN USER ROLE` with blanks or commas between; lines that are
 * empty or begin with # are passed over.
 */
export function parseTokenTable(text: string): TokenTable {
  const isJson = text.trimStart().startsWith('[');
  const read = isJson ? readJson(text) : { value: readLines(text) };
  if (read === undefined) return { ok: false, problem: 'it begins with [ and is no JSON' };
  const parsed = table.safeParse(read.value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const [index = 0, field] = issue?.path ?? [];
    const where = `entry ${Number(index) + 1}${field === undefined ? '' : `, ${String(field)}`}`;
    return { ok: false, problem: `${where}: ${issue?.code === 'custom' ? 'wrong' : (issue?.message ?? 'wrong')}` };
  }
  const entries = new Map(parsed.data.map((entry) => [tokenHash(entry.token), { user: entry.user, role: entry.role }]));
  if (entries.size < parsed.data.length) return { ok: false, problem: 'two entries have the same token' };
  return { ok: true, entries };
}

function readJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

function readLines(text: string): unknown {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [first, second, third, ...rest] = line.split(/[\s,]+/);
      return { token: first, user: second, role: third, ...(rest.length > 0 && { more: '' }) };
    });
}
