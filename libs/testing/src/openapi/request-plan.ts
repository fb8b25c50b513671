/** What an exercise of an API is told beside its document: who may what, and bodies that only a person can think of. */
import type { SendRequest } from './api-exchange.ts';
import type { Found } from './found.ts';
import type { Json } from './json-schema.ts';

export interface RequestPlan {
  readonly send: SendRequest;
  /** In order: each role may what the ones before it may. */
  readonly roles: readonly { readonly name: string; readonly token: string }[];
  /** Of somebody who is known and may nothing; undefined: there is no such thing. */
  readonly strangerToken: string | undefined;
  readonly samples: RequestSamples;
  readonly seed: number;
  /** Requests at one time. */
  readonly concurrency: number;
}

export interface RequestSamples {
  /** Bodies that are answered with 2xx, by operation. Of others the body is what a GET of the path gives, or a sample. */
  readonly bodies: Readonly<Record<string, (found: Found) => readonly Json[]>>;
  /** Values of the path of requests that are answered, by operation. Of others it is any item of the list above. */
  readonly paths: Readonly<Record<string, (found: Found) => readonly Readonly<Record<string, string>>[]>>;
  /** Requests that are refused for what they name or say, by operation. */
  readonly refused: Readonly<Record<string, (found: Found) => readonly RefusedSample[]>>;
  /** A cursor as another version of the API gave it. */
  readonly expiredCursor: string;
}

export interface RefusedSample {
  readonly status: number;
  readonly path?: Readonly<Record<string, string>>;
  readonly body?: Json;
}

/** Answers that cannot be had where the exercise runs, with the reason; they may come all the same. */
export interface Excuse {
  readonly status: number;
  /** Undefined: all. */
  readonly operations?: readonly string[];
  readonly why: string;
}
