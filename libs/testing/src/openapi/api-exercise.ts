/**
 * Exercises an API by the document that it gives of itself: every operation with valid and invalid requests, those that
 * somebody has thought of and those of chance. What the server does that the document does not say is a fault.
 */
import { type Aim, aimedRequests } from './aimed-requests.ts';
import { type ApiAnswer, type ApiRequest, describeRequest, type SendRequest } from './api-exchange.ts';
import { type ApiDocument, type Operation, readApiDocument } from './document.ts';
import { Found } from './found.ts';
import { isObject } from './json-schema.ts';
import { faultsOfAnswer, faultsOfUnknown, parsedJson } from './judge-answer.ts';
import { randomRequest } from './random-requests.ts';
import type { Excuse, RequestPlan } from './request-plan.ts';
import { seeded } from './seeded.ts';
import { requestOf, ValidRequests } from './valid-requests.ts';

/** More would be of one cause, and nobody reads them. */
const MAX_FAULTS = 50;
const MAX_TRIES = 20;
/** What a client is told of a connection that the server has closed. */
const CLOSED = ['ECONNRESET', 'EPIPE', 'ConnectionClosed'];
/** What a list may have lost between its reading and the request that names one of its items. */
const GONE = [404, 409, 410, 412];

export class ApiExercise {
  readonly faults: string[] = [];
  /** Lists that said that a part of them is missing. */
  partialAnswers = 0;
  requests = 0;
  readonly #api: ApiDocument;
  readonly #plan: RequestPlan;
  readonly #valid: ValidRequests;
  readonly #seen = new Map<string, Map<number, number>>();
  #chances = 0;
  #closed = 0;

  /** `document`: as `/openapi.json` gives it. */
  constructor(document: unknown, plan: RequestPlan) {
    this.#api = readApiDocument(document);
    this.#plan = plan;
    this.#valid = new ValidRequests(this.#api, plan, new Found());
  }

  /** Reads every list and every single thing: what valid requests are made of. */
  async discover(): Promise<void> {
    const readers = this.#api.operations.filter(
      ({ method, isStream, path }) => method === 'GET' && !isStream && !path.includes('{'),
    );
    await this.#each(readers, async (operation) => {
      const headers = this.#valid.headersFor(operation);
      const body = parsedJson((await this.#ask(operation, { method: 'GET', path: operation.path, headers })).text);
      this.#valid.found.keep(operation.path, body);
      if (!operation.parameters.some(({ name }) => name === 'cursor')) return;
      const page = parsedJson(
        (await this.#ask(operation, { method: 'GET', path: `${operation.path}?limit=1`, headers })).text,
      );
      if (isObject(page) && typeof page['next'] === 'string')
        this.#valid.found.keepCursor(operation.path, page['next']);
    });
  }

  /** Each operation as it is meant to be used: plain, with parameters, and again with the entity tag that it gave. */
  async validOnes(rounds = 3): Promise<void> {
    const answerable = this.#harmless().filter((operation) => this.#valid.isAnswerable(operation));
    await this.#each(answerable, async (operation) => {
      const chance = this.#chance();
      for (let round = 0; round < rounds; round++) {
        const parts =
          round === 0 ? await this.#valid.plain(operation, chance) : await this.#valid.varied(operation, chance);
        const request = requestOf(parts);
        const answer = await this.#ask(operation, request);
        if (answer.status >= 300)
          this.#fault(operation, request, `a valid request is answered ${answer.status}: ${answer.text}`);
        const etag = answer.headers['etag'];
        if (operation.method !== 'GET' || etag === undefined) continue;
        const again = { ...request, headers: { ...request.headers, 'if-none-match': etag } };
        const { status } = await this.#ask(operation, again);
        if (status !== 304 && status !== 200) this.#fault(operation, again, `it answers ${status} to If-None-Match`);
      }
    });
  }

  /** Each way to be refused that the document has, and paths and methods that it does not have. */
  async aimedOnes(): Promise<void> {
    const aims: { readonly operation: Operation; readonly aim: Aim }[] = [];
    await this.#each(this.#harmless(), async (operation) => {
      for (const aim of await aimedRequests(this.#api, operation, this.#valid, this.#plan))
        aims.push({ operation, aim });
    });
    await this.#each(aims, async ({ operation, aim: { statuses, requests, why } }) => {
      for (const [index, request] of requests.entries()) {
        const { status, text } = await this.#ask(operation, request);
        if (index < requests.length - 1 || statuses.includes(status)) continue;
        this.#fault(operation, request, `${why}: expected ${statuses.join(' or ')}, and it answers ${status}: ${text}`);
      }
    });
    await this.#each([...new Set(this.#api.operations.map(({ path }) => path))], (path) => this.#unknownOf(path));
  }

  /** Requests of chance: so many, or as many as there is time for, and one of each operation at least. */
  async randomOnes(bound: { readonly ms: number } | { readonly requests: number }): Promise<void> {
    const order = this.#harmless();
    const end = 'ms' in bound ? performance.now() + bound.ms : Infinity;
    const most = 'requests' in bound ? bound.requests : Infinity;
    let number = 0;
    const isOver = (): boolean => number >= order.length && (number >= most || performance.now() >= end);
    const work = async (): Promise<void> => {
      while (!isOver()) {
        const operation = order[number % order.length] as Operation;
        const chance = seeded(this.#plan.seed + number++);
        const { request, expected } = await randomRequest(this.#api, operation, this.#valid, chance);
        const { status, text } = await this.#ask(operation, request);
        const isAnswered = status < 400;
        if (expected === 'refused' && isAnswered) this.#fault(operation, request, `it takes what is invalid: ${text}`);
        if (expected === 'answered' && !isAnswered && !GONE.includes(status))
          this.#fault(operation, request, `a valid request is answered ${status}: ${text}`);
      }
    };
    await Promise.all(Array.from({ length: this.#plan.concurrency }, work));
  }

  /** Each operation until it is told to wait, of a server that lets nobody ask often. */
  async limitedOnes(send: SendRequest): Promise<void> {
    for (const operation of this.#harmless()) {
      const request = requestOf(await this.#valid.plain(operation, this.#chance()));
      let isLimited = false;
      for (let tries = 0; tries < MAX_TRIES && !isLimited; tries++) {
        const answer = await send(request);
        this.#judge(operation, request, answer);
        isLimited = answer.status === 429;
      }
      if (!isLimited) this.#fault(operation, request, 'nobody is ever told to wait');
    }
  }

  /** One request to a server that is in another state; what it answers counts. */
  async also(id: string, send: SendRequest): Promise<ApiAnswer> {
    const operation = this.#api.operations.find((one) => one.id === id);
    if (operation === undefined) throw new Error(`the document has no operation ${id}`);
    const request = requestOf(await this.#valid.plain(operation, this.#chance()));
    const answer = await send(request);
    this.#judge(operation, request, answer);
    return answer;
  }

  /** Ids of those that the role may first. */
  operationsOf(role: string): readonly string[] {
    return this.#api.operations.filter((operation) => operation.role === role).map(({ id }) => id);
  }

  /** Operations that were never answered, and documented refusals that never came: an exercise that says nothing of them. */
  gaps(excuses: readonly Excuse[]): readonly string[] {
    return this.#api.operations.flatMap(({ id, answers }) => {
      const seen = [...(this.#seen.get(id)?.keys() ?? [])];
      const isExcused = (status: number): boolean =>
        excuses.some((excuse) => excuse.status === status && (excuse.operations?.includes(id) ?? true));
      const unseen = [...answers.keys()].filter(
        (status) => status >= 400 && status < 500 && !seen.includes(status) && !isExcused(status),
      );
      const isAnswered = seen.some((status) => status >= 200 && status < 300);
      return [
        ...(isAnswered || isExcused(200) ? [] : [`${id} was never answered with 2xx`]),
        ...unseen.map((status) => `${id} never answered ${status}, which is documented`),
      ];
    });
  }

  /** A line an operation: how often it answered which status. */
  table(): string {
    const rows = this.#api.operations.map(({ id }) => {
      const counts = [...(this.#seen.get(id) ?? [])].sort(([a], [b]) => a - b);
      return `${id.padEnd(20)}${counts.map(([status, count]) => ` ${status}:${count}`).join('')}`;
    });
    const partial = `${this.partialAnswers} partial answers, ${this.#closed} closed connections`;
    return [
      `${this.requests} requests, ${partial}, ${this.faults.length} faults, seed ${this.#plan.seed}`,
      ...rows,
    ].join('\n');
  }

  #harmless(): readonly Operation[] {
    return this.#api.operations.filter((operation) => this.#valid.isHarmless(operation));
  }

  #chance(): ReturnType<typeof seeded> {
    return seeded(this.#plan.seed + this.#chances++);
  }

  async #unknownOf(path: string): Promise<void> {
    const taken = this.#api.operations.filter((operation) => operation.path === path).map(({ method }) => method);
    const real = path.replaceAll(/\{\w+\}/g, 'a');
    for (const method of ['DELETE', 'PATCH', 'PUT', 'POST', 'GET'].filter((one) => !taken.includes(one)).slice(0, 1))
      await this.#askUnknown({ method, path: real, headers: {} }, path);
    await this.#askUnknown({ method: 'GET', path: `${real}/no/such/path`, headers: {} }, undefined);
  }

  async #askUnknown(request: ApiRequest, path: string | undefined): Promise<void> {
    const answer = await this.#patiently(request);
    for (const fault of faultsOfUnknown(this.#api, request, answer, path))
      this.#note(`${describeRequest(request)}: ${fault}`);
  }

  async #ask(operation: Operation, request: ApiRequest): Promise<ApiAnswer> {
    const answer = await this.#patiently(request, (refusal) => this.#judge(operation, request, refusal));
    this.#judge(operation, request, answer);
    return answer;
  }

  /** Comes again when it is told to wait. */
  async #patiently(request: ApiRequest, onRefusal: (answer: ApiAnswer) => void = () => undefined): Promise<ApiAnswer> {
    for (let tries = 1; ; tries++) {
      const answer = await this.#sent(request);
      this.requests++;
      if (answer.status !== 429 || tries === MAX_TRIES) return answer;
      onRefusal(answer);
      const seconds = Number(answer.headers['retry-after'] ?? 1);
      await new Promise((resolve) => setTimeout(resolve, Math.min(10, seconds) * 1000));
    }
  }

  /** On another connection when this one was closed: while it was idle, or before the body was out that nobody reads. */
  async #sent(request: ApiRequest): Promise<ApiAnswer> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#plan.send(request);
      } catch (error) {
        const isClosed = error instanceof Error && 'code' in error && CLOSED.includes(String(error.code));
        if (!isClosed || tries === 3) throw error;
        this.#closed++;
      }
    }
  }

  #judge(operation: Operation, request: ApiRequest, answer: ApiAnswer): void {
    const counts = this.#seen.get(operation.id) ?? new Map<number, number>();
    this.#seen.set(operation.id, counts.set(answer.status, (counts.get(answer.status) ?? 0) + 1));
    if (answer.text.includes('"partial":true')) this.partialAnswers++;
    for (const fault of faultsOfAnswer(this.#api, operation, request, answer)) this.#fault(operation, request, fault);
  }

  #fault({ id }: Operation, request: ApiRequest, fault: string): void {
    this.#note(`${id}: ${describeRequest(request)}: ${fault.length > 500 ? `${fault.slice(0, 500)}…` : fault}`);
  }

  #note(fault: string): void {
    if (this.faults.length < MAX_FAULTS) this.faults.push(fault);
  }

  async #each<T>(things: readonly T[], work: (thing: T) => Promise<void>): Promise<void> {
    const left = [...things];
    const worker = async (): Promise<void> => {
      for (let thing = left.shift(); thing !== undefined; thing = left.shift()) await work(thing);
    };
    await Promise.all(Array.from({ length: this.#plan.concurrency }, worker));
  }
}
