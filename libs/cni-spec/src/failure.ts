import { type SpecVersion } from './spec-version.ts';

/** Error codes of the specification ("Error" section); 8 and 999 are the reference library's. */
export const CNI_ERROR = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  ioFailure: 5,
  decodeFailure: 6,
  invalidConfig: 7,
  invalidNetns: 8,
  tryAgainLater: 11,
  /** STATUS: ADD cannot be served. */
  notAvailable: 50,
  /** STATUS: ADD cannot be served, and existing containers may have limited connectivity. */
  limitedConnectivity: 51,
  internal: 999,
} as const;

/** Codes of 100 and above are a plugin's own. */
export const CANAL_ERROR = {
  /** CHECK found the attachment other than ADD left it; `details` lists what. */
  checkFailed: 100,
  /** The kernel refused a request of ADD or DEL; `details` has its words. */
  kernelRefused: 101,
} as const;

/** An error answer: what the runtime shows to people and, by its code, acts on. */
export interface CniFailure {
  readonly code: number;
  readonly message: string;
  readonly details?: string;
}

export function failure(code: number, message: string, details?: string): CniFailure {
  return details === undefined || details === '' ? { code, message } : { code, message, details };
}

/** The JSON that a plugin prints on stdout, beside a non-zero exit code. */
export function formatFailure(version: SpecVersion, { code, message, details }: CniFailure): string {
  return `${JSON.stringify({ cniVersion: version, code, msg: message, details }, undefined, 4)}\n`;
}
