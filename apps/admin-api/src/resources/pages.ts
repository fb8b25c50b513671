/** Pages of lists: of what is at hand, and of what nodes are asked for, node after node. */
import type { MissingPart, Page } from '@canal/admin-schema';
import type { AgentQuestion, ReadList } from './agent-questions.ts';
import { compareKeys, type Cursors, type Key } from './cursor.ts';
import type { NodeAnswer, NodeQuestions } from './node-questions.ts';

export interface PageQuery {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface PageOrder<T> {
  readonly cursors: Cursors;
  readonly keyOf: (item: T) => Key;
  /** How many parts each key has. */
  readonly parts: number;
  /** Of keys; default: compareKeys. */
  readonly compare?: (a: Key, b: Key) => number;
}

/** A page of all items, in whatever order they are given. */
export function pageOfItems<T>(
  items: readonly T[],
  { limit, cursor }: PageQuery,
  order: PageOrder<T>,
  missing: readonly MissingPart[] = [],
): Page<T> {
  const { cursors, keyOf, parts, compare = compareKeys } = order;
  const after = cursors.decode(cursor, parts);
  const left = items
    .map((item) => ({ item, key: keyOf(item) }))
    .filter(({ key }) => after === undefined || compare(key, after) > 0)
    .sort((a, b) => compare(a.key, b.key));
  const page = left.slice(0, limit);
  const last = page.at(-1);
  return {
    items: page.map(({ item }) => item),
    ...(left.length > page.length && last !== undefined && { next: cursors.encode(last.key) }),
    partial: missing.length > 0,
    missing: [...missing],
  };
}

/** As many as are asked at one time. */
const NODES_AT_ONCE = 16;

/** Items of nodes: the first part of their keys is the node's name. Only nodes that the page needs are asked. */
export async function pageOverNodes<Answer, T>(
  questions: NodeQuestions,
  { nodes, question, itemsOf, unreadOf }: NodeItems<Answer, T>,
  { limit, cursor }: PageQuery,
  { cursors, keyOf, parts }: PageOrder<T>,
  signal: AbortSignal,
): Promise<Page<T>> {
  const after = cursors.decode(cursor, parts);
  const first = after?.[0] ?? '';
  const left = nodes.filter((node) => node >= first);
  const found: { readonly item: T; readonly key: Key }[] = [];
  const missing: MissingPart[] = [];
  for (let start = 0; start < left.length && found.length <= limit; start += NODES_AT_ONCE) {
    const answers = await questions.askAll(left.slice(start, start + NODES_AT_ONCE), question, signal);
    for (const answer of answers) {
      if (found.length > limit) break;
      missing.push(...missingOf(answer, unreadOf));
      if (!answer.ok) continue;
      const items = itemsOf(answer.node, answer.value)
        .map((item) => ({ item, key: keyOf(item) }))
        .filter(({ key }) => after === undefined || compareKeys(key, after) > 0)
        .sort((a, b) => compareKeys(a.key, b.key));
      // What is beyond the page is only counted.
      for (const item of items.slice(0, limit + 1 - found.length)) found.push(item);
    }
  }
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return {
    items: page.map(({ item }) => item),
    ...(found.length > limit && last !== undefined && { next: cursors.encode(last.key) }),
    partial: missing.length > 0,
    missing,
  };
}

export interface NodeItems<Answer, T> {
  /** In order. */
  readonly nodes: readonly string[];
  readonly question: AgentQuestion<Answer>;
  readonly itemsOf: (node: string, answer: Answer) => readonly T[];
  readonly unreadOf: (answer: Answer) => ReadList<unknown>;
}

function missingOf<Answer>(
  answer: NodeAnswer<Answer>,
  unreadOf: (answer: Answer) => ReadList<unknown>,
): readonly MissingPart[] {
  const { node } = answer;
  if (!answer.ok) return [{ node, reason: answer.reason }];
  const reason = unreadReason(unreadOf(answer.value));
  return reason === undefined ? [] : [{ node, reason }];
}

/** Why a list is not whole; undefined when it is. */
export function unreadReason({ items, unread, why = '' }: ReadList<unknown>): string | undefined {
  if (unread === 0) return undefined;
  return `${unread} of ${items.length + unread} items cannot be read (${why}): is the agent of another version?`;
}
