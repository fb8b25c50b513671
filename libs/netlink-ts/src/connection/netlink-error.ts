import type { ExtendedAck } from './acknowledgement.ts';
import { errnoName, errnoNumber } from './errno.ts';

/** What the connection itself finds wrong, beside the kernel's errno names. */
export type NetlinkErrorCode = string;

export interface NetlinkErrorDetails {
  /** What was asked for: `new route`, `list links`. */
  readonly operation: string;
  /** Positive errno. */
  readonly errno: number;
  readonly sequence?: number;
  readonly extendedAck?: ExtendedAck | undefined;
  readonly cause?: unknown;
}

/** The kernel refused a request, or the exchange with it failed. Test `code` by the predicates below, never the text. */
export class NetlinkError extends Error {
  override readonly name = 'NetlinkError';
  /** Errno name: `EEXIST`. */
  readonly code: NetlinkErrorCode;
  readonly errno: number;
  readonly operation: string;
  readonly sequence: number | undefined;
  /** What the kernel adds to the errno: its words, the offending attribute, the missing one. */
  readonly extendedAck: ExtendedAck | undefined;

  constructor(details: NetlinkErrorDetails) {
    super(describe(details), details.cause === undefined ? undefined : { cause: details.cause });
    this.code = errnoName(details.errno);
    this.errno = details.errno;
    this.operation = details.operation;
    this.sequence = details.sequence;
    this.extendedAck = details.extendedAck;
  }
}

/** A failure of the transport (any error with an errno name as `code`) as a NetlinkError of the running operation. */
export function transportError(operation: string, cause: unknown): Error {
  const code = codeOf(cause);
  const errno = code === undefined ? 0 : errnoNumber(code);
  return errno === 0 ? asError(cause) : new NetlinkError({ operation, errno, cause });
}

/** What was thrown, as an error: JavaScript lets anything be thrown. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** The object that the request names is not there. */
export function isNotFound(error: unknown): boolean {
  return hasCode(error, NOT_FOUND);
}

/** The object is there already. */
export function isExists(error: unknown): boolean {
  return hasCode(error, EXISTS);
}

/** The object is in use. */
export function isBusy(error: unknown): boolean {
  return hasCode(error, BUSY);
}

/** The same request may succeed a moment later: interrupted dumps, lost replies, transient lack of memory. */
export function isRetriable(error: unknown): boolean {
  return hasCode(error, RETRIABLE);
}

/** The running kernel does not know what was asked for. */
export function isNotSupported(error: unknown): boolean {
  return hasCode(error, NOT_SUPPORTED);
}

// Links say ENODEV, routes ESRCH, neighbours and nexthops ENOENT, addresses EADDRNOTAVAIL.
const NOT_FOUND = ['ENOENT', 'ENODEV', 'ESRCH', 'EADDRNOTAVAIL'];
const EXISTS = ['EEXIST'];
const BUSY = ['EBUSY'];
const RETRIABLE = ['EINTR', 'EAGAIN', 'ENOBUFS', 'EBUSY', 'ENOMEM', 'ETIMEDOUT'];
// E524 is ENOTSUPP, which some drivers let slip out of the kernel.
const NOT_SUPPORTED = ['EOPNOTSUPP', 'E524', 'EPROTONOSUPPORT', 'EAFNOSUPPORT', 'EPFNOSUPPORT', 'ENOSYS'];

/** By name and not by `instanceof`, so that two copies of this package in one program understand each other. */
function hasCode(error: unknown, codes: readonly string[]): boolean {
  if (!(error instanceof Error) || error.name !== 'NetlinkError') return false;
  const code = codeOf(error);
  return code !== undefined && codes.includes(code);
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

function describe({ operation, errno, extendedAck, cause }: NetlinkErrorDetails): string {
  const parts = [`${operation}: ${errnoName(errno)} (${errno})`];
  if (extendedAck?.message !== undefined) parts.push(extendedAck.message);
  if (extendedAck?.offset !== undefined) parts.push(`at byte ${extendedAck.offset} of the request`);
  if (extendedAck?.missingType !== undefined) parts.push(`attribute ${extendedAck.missingType} is missing`);
  if (cause instanceof Error) parts.push(cause.message);
  return parts.join(': ');
}
