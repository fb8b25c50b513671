/** The admin API as functions: an operation's answer, the items of all pages of a list, the events of a stream. */
import { AdminApiError } from './admin-api-error.ts';
import type { NoInput } from './call-target.ts';
import { readEvents, type StreamedEvent } from './event-reader.ts';
import { type AdminServer, exchange } from './exchange.ts';
import { type Operations, type Streams, TARGETS } from './generated/operations.ts';
import type { MissingPart } from './generated/types.ts';
import { asUntyped, type UntypedInput } from './untyped-input.ts';

type OperationName = keyof Operations;
type Input<Name extends OperationName> = Operations[Name]['input'];
type Answer<Name extends OperationName> = Operations[Name]['answer'];

/** Without anything needed the input may be left out. */
type Given<T> = NoInput extends T ? [input?: T] : [input: T];

interface ListAnswer {
  readonly items: readonly unknown[];
  readonly next?: string;
  readonly missing: readonly MissingPart[];
}

/** Operations that answer a page of a list. */
export type ListName = { [Name in OperationName]: Answer<Name> extends ListAnswer ? Name : never }[OperationName];
export type ItemOf<Name extends ListName> = Answer<Name>['items'][number];

export interface Answered<T> {
  readonly body: T;
  /** Of what was read: writes need it. */
  readonly etag?: string;
}

/** A whole list, and what of it is not known. */
export interface WholeList<T> {
  readonly items: readonly T[];
  readonly missing: readonly MissingPart[];
}

export interface AdminClient {
  /** Throws AdminApiError, and the signal's reason. */
  call<Name extends OperationName>(
    name: Name,
    signal: AbortSignal,
    ...given: Given<Input<Name>>
  ): Promise<Answered<Answer<Name>>>;
  /** Page by page, as the caller takes them. Throws as `call` does. */
  pages<Name extends ListName>(
    name: Name,
    signal: AbortSignal,
    ...given: Given<Input<Name>>
  ): AsyncGenerator<Answer<Name>, void>;
  /** All pages. A node that could not be asked is named once for each reason. Throws as `call` does. */
  list<Name extends ListName>(
    name: Name,
    signal: AbortSignal,
    ...given: Given<Input<Name>>
  ): Promise<WholeList<ItemOf<Name>>>;
  /** Until the signal aborts; comes again after a connection that ended. Throws as `call` does when that does not help. */
  stream<Name extends keyof Streams>(
    name: Name,
    signal: AbortSignal,
    input: Streams[Name]['input'],
  ): AsyncGenerator<StreamedEvent<Streams[Name]['answer']>, void>;
}

/** The server's own limit: fewer requests for the same list. */
const PAGE_ITEMS = 500;

export function createAdminClient(server: AdminServer): AdminClient {
  const ask = async (name: OperationName, signal: AbortSignal, input: UntypedInput): Promise<Answered<unknown>> =>
    await exchange(server, TARGETS[name], input, signal);

  async function* pages(name: ListName, signal: AbortSignal, input: UntypedInput): AsyncGenerator<ListAnswer, void> {
    let cursor: string | undefined;
    const seen = new Set<string>();
    do {
      const { body } = await ask(name, signal, {
        ...input,
        query: { limit: PAGE_ITEMS, ...input.query, ...(cursor !== undefined && { cursor }) },
      });
      if (!isList(body)) throw new AdminApiError('broken', `${TARGETS[name].path}: the answer is no page of a list`);
      yield body;
      cursor = body.next;
      if (cursor !== undefined && seen.has(cursor)) {
        throw new AdminApiError('broken', `${TARGETS[name].path}: the pages go in a circle`);
      }
      if (cursor !== undefined) seen.add(cursor);
    } while (cursor !== undefined);
  }

  const untyped = {
    call: ask,
    pages,
    list: async (name: ListName, signal: AbortSignal, input: UntypedInput): Promise<WholeList<unknown>> => {
      const items: unknown[] = [];
      const missing = new Map<string, MissingPart>();
      for await (const page of pages(name, signal, input)) {
        items.push(...page.items);
        for (const part of page.missing) missing.set(`${part.node} ${part.reason}`, part);
      }
      return { items, missing: [...missing.values()] };
    },
    stream: (name: keyof Streams, signal: AbortSignal, input: UntypedInput) =>
      readEvents(server, TARGETS[name], input, signal),
  };
  const given = <T>(work: (name: never, signal: AbortSignal, input: UntypedInput) => T) => {
    return (name: string, signal: AbortSignal, input?: unknown): T => work(name as never, signal, asUntyped(input));
  };
  // The types are those of the document, which the server's answers are held to by its own tests.
  return {
    call: given(untyped.call),
    pages: given(untyped.pages),
    list: given(untyped.list),
    stream: given(untyped.stream),
  } as AdminClient;
}

function isList(body: unknown): body is ListAnswer {
  if (typeof body !== 'object' || body === null) return false;
  const { items, missing, next } = body as Partial<Record<keyof ListAnswer, unknown>>;
  return Array.isArray(items) && Array.isArray(missing) && (next === undefined || typeof next === 'string');
}
