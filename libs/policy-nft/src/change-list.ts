/**
 * Requests of a change in the order in which references hold, as transactions. What nothing refers to yet (new sets,
 * new chains) goes ahead: the kernel switches sets and chains one after the other, and a packet in between would find the
 * new chain empty. What goes ahead comes in transactions of bounded size, so that others wait for the lock of nf_tables
 * 20 ms at most; the rest is one transaction, the switch. Members of sets that stay are part of it: a new member must not
 * meet old rules, nor an old one new rules. Of more members than a transaction should hold those that go do so before the
 * switch and those that come do so behind it, for each of them allows something: what lies between is too closed, not
 * too open.
 */
import {
  appendNftRule,
  delNftChain,
  delNftCounter,
  delNftElements,
  delNftSet,
  delNftTable,
  flushNftRules,
  flushNftSet,
  type NetlinkRequest,
  newNftChain,
  newNftCounter,
  newNftElements,
  newNftSet,
  newNftTable,
  NFT_VERDICT,
  type NftChainInput,
  type NftCounter,
  type NftElement,
  nftSet,
} from 'netlink-ts';
import { sinceUserData } from './rule-counters.ts';
import { TABLE } from './static-tables.ts';
import type { ChainHook, RuleImage, SetDefinition } from './table-image.ts';

/** Objects in a transaction that is not the switch: about 10 ms of the kernel's time, on a busy machine. */
const MAX_OBJECTS = 5000;

const PHASES = [
  'tables',
  'newSets',
  'newCounters',
  'newChains',
  'newRules',
  'delMembers',
  'newMembers',
  'flushRules',
  'delElements',
  'delChains',
  'delCounters',
  'delSets',
  'sets',
  'baseChains',
  'elements',
  'rules',
] as const;

type Phase = (typeof PHASES)[number];

/** Phases before the switch. */
const AHEAD: readonly Phase[] = ['tables', 'newSets', 'newCounters', 'newChains', 'newRules'];
const MEMBERS: readonly Phase[] = ['delMembers', 'newMembers'];
const SWITCH: readonly Phase[] = PHASES.filter((phase) => !AHEAD.includes(phase) && !MEMBERS.includes(phase));

interface Weighted {
  readonly request: NetlinkRequest;
  readonly objects: number;
}

export class ChangeList {
  readonly #requests: Readonly<Record<Phase, Weighted[]>> = {
    tables: [],
    newSets: [],
    newCounters: [],
    newChains: [],
    newRules: [],
    delMembers: [],
    newMembers: [],
    flushRules: [],
    delElements: [],
    delChains: [],
    delCounters: [],
    delSets: [],
    sets: [],
    baseChains: [],
    elements: [],
    rules: [],
  };
  #writes = 0;
  #sinceNow: Uint8Array | undefined;
  #undivided = false;

  /** Objects written or deleted. */
  get writes(): number {
    return this.#writes;
  }

  /** Begins with the deletion of the table; then all is one transaction, however long. */
  deleteTable(family: number): void {
    this.#add('tables', delNftTable({ family, name: TABLE }));
    this.#undivided = true;
  }

  newTable(family: number): void {
    this.#add('tables', newNftTable({ family, name: TABLE, flags: 0 }));
  }

  /** One that is there keeps what it has counted; one that was there before the table is made anew gets it back. */
  newCounter(family: number, name: string, before?: NftCounter): void {
    this.#sinceNow ??= sinceUserData(Date.now());
    const { packets, bytes, userData } = before ?? { packets: 0n, bytes: 0n, userData: this.#sinceNow };
    const since = userData && { userData };
    this.#add('newCounters', newNftCounter({ family, table: TABLE, name, packets, bytes, ...since }));
  }

  deleteCounter(family: number, name: string): void {
    this.#add('delCounters', delNftCounter({ family, table: TABLE, name }));
  }

  /** A set that no rule refers to yet, with its elements. */
  newSet(family: number, definition: SetDefinition, elements: Iterable<NftElement>): void {
    this.#add('newSets', newNftSet(nftSet({ ...definition, family, table: TABLE })));
    // Verdict maps come to their elements in the switch: the chains must be there.
    const phase = definition.data === 'verdict' ? 'elements' : 'newSets';
    this.#addElements(phase, newNftElements, family, definition.name, elements);
  }

  /** A set of another kind than it should be: to be made anew within the switch. */
  replaceSet(family: number, definition: SetDefinition, elements: Iterable<NftElement>): void {
    this.deleteSet(family, definition.name);
    this.#add('sets', newNftSet(nftSet({ ...definition, family, table: TABLE })));
    this.addElements(family, definition.name, elements);
  }

  deleteSet(family: number, name: string): void {
    this.#add('delSets', delNftSet({ family, table: TABLE, name }));
  }

  /** Members of a set that stays. */
  changeMembers(family: number, set: string, removed: Iterable<NftElement>, added: Iterable<NftElement>): void {
    this.#addElements('delMembers', delNftElements, family, set, keys(removed));
    this.#addElements('newMembers', newNftElements, family, set, added);
  }

  /** Elements that change together with everything else: those removed go first. */
  addElements(family: number, set: string, elements: Iterable<NftElement>): void {
    this.#addElements('elements', newNftElements, family, set, elements);
  }

  removeElements(family: number, set: string, elements: Iterable<NftElement>): void {
    this.#addElements('delElements', delNftElements, family, set, keys(elements));
  }

  removeAllElements(family: number, name: string): void {
    this.#add('delElements', flushNftSet({ family, table: TABLE, name }));
  }

  newChain(family: number, name: string, hook: ChainHook | undefined, rules: readonly RuleImage[]): void {
    if (hook === undefined) {
      this.#add('newChains', newNftChain({ family, table: TABLE, name }));
      this.#addRules('newRules', family, name, rules);
      return;
    }
    this.#add('baseChains', newNftChain({ family, table: TABLE, name, ...baseChain(hook) }));
    this.#addRules('rules', family, name, rules);
  }

  /** A chain whose hook is wrong: deleted and made anew within the switch. */
  replaceChain(family: number, name: string, hook: ChainHook | undefined, rules: readonly RuleImage[]): void {
    this.deleteChain(family, name);
    this.#add('baseChains', newNftChain({ family, table: TABLE, name, ...baseChain(hook) }));
    this.#addRules('rules', family, name, rules);
  }

  /** Other rules in a chain that stays. */
  replaceRules(family: number, chain: string, rules: readonly RuleImage[]): void {
    this.#add('flushRules', flushNftRules({ family, table: TABLE, chain }));
    this.#addRules('rules', family, chain, rules);
  }

  deleteChain(family: number, name: string): void {
    this.#add('flushRules', flushNftRules({ family, table: TABLE, chain: name }));
    this.#add('delChains', delNftChain({ family, table: TABLE, name }));
  }

  /** None when nothing changes. */
  transactions(): NetlinkRequest[][] {
    const of = (phases: readonly Phase[]): Weighted[] => phases.flatMap((phase) => this.#requests[phase]);
    if (this.#undivided) return nonEmpty([of(PHASES)]);
    // To a packet that is on its way through the rules when they change a new chain is still empty, and a new set too.
    if (weight(of(MEMBERS)) <= MAX_OBJECTS) return nonEmpty([...bounded(of(AHEAD)), of([...MEMBERS, ...SWITCH])]);
    return nonEmpty([...bounded(of([...AHEAD, 'delMembers'])), of(SWITCH), ...bounded(of(['newMembers']))]);
  }

  #addRules(phase: Phase, family: number, chain: string, rules: readonly RuleImage[]): void {
    for (const expressions of rules) this.#add(phase, appendNftRule({ family, table: TABLE, chain, expressions }));
  }

  #addElements(
    phase: Phase,
    request: typeof newNftElements,
    family: number,
    name: string,
    elements: Iterable<NftElement>,
  ): void {
    // Pieces that are well below the limit of a transaction, so that transactions can be filled with them.
    for (const piece of pieces(elements, MAX_OBJECTS / 4)) {
      const requests = request({ family, table: TABLE, name }, piece);
      for (const each of requests) {
        this.#requests[phase].push({ request: each, objects: Math.ceil(piece.length / requests.length) });
      }
      this.#writes += piece.length;
    }
  }

  #add(phase: Phase, request: NetlinkRequest): void {
    this.#requests[phase].push({ request, objects: 1 });
    this.#writes++;
  }
}

/** Elements are deleted by their keys. */
function* keys(elements: Iterable<NftElement>): Generator<NftElement> {
  for (const { data: _, ...rest } of elements) yield rest;
}

function baseChain(hook: ChainHook | undefined): Partial<NftChainInput> {
  return hook === undefined ? {} : { hook, type: 'filter', policy: NFT_VERDICT.ACCEPT };
}

function nonEmpty(transactions: readonly Weighted[][]): NetlinkRequest[][] {
  return transactions
    .filter(({ length }) => length > 0)
    .map((transaction) => transaction.map(({ request }) => request));
}

function weight(requests: readonly Weighted[]): number {
  return requests.reduce((sum, { objects }) => sum + objects, 0);
}

function bounded(requests: readonly Weighted[]): Weighted[][] {
  const transactions: Weighted[][] = [];
  let room = 0;
  for (const request of requests) {
    const current = transactions.at(-1);
    if (current === undefined || request.objects > room) {
      transactions.push([request]);
      room = MAX_OBJECTS - request.objects;
    } else {
      current.push(request);
      room -= request.objects;
    }
  }
  return transactions;
}

function* pieces<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let piece: T[] = [];
  for (const item of items) {
    piece.push(item);
    if (piece.length < size) continue;
    yield piece;
    piece = [];
  }
  if (piece.length > 0) yield piece;
}
