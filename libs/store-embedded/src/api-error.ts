/** A failed request: thrown anywhere below the handler, answered as a Kubernetes `Status` object. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: number;
  readonly reason: string;
  readonly details: StatusDetails | undefined;
  /** metadata.continue of the answer, for lists that can go on inconsistently. */
  readonly continueToken: string | undefined;

  constructor(code: number, reason: string, message: string, details?: StatusDetails, continueToken?: string) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
    this.continueToken = continueToken;
  }

  /** The `Status` object. */
  body(): object {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.continueToken === undefined ? {} : { continue: this.continueToken },
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    };
  }
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

export interface StatusCause {
  readonly reason: string;
  readonly message: string;
  readonly field?: string;
}

/** The resource that an error is about. */
interface About {
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
}

export function badRequest(message: string): ApiError {
  return new ApiError(400, 'BadRequest', message);
}

export function unauthorized(): ApiError {
  return new ApiError(401, 'Unauthorized', 'Unauthorized');
}

export function forbidden(about: About, name: string, message: string): ApiError {
  return new ApiError(403, 'Forbidden', `${qualified(about)} "${name}" is forbidden: ${message}`, {
    name,
    ...groupOf(about),
    kind: about.plural,
  });
}

export function notFound(about: About, name: string): ApiError {
  return new ApiError(404, 'NotFound', `${qualified(about)} "${name}" not found`, {
    name,
    ...groupOf(about),
    kind: about.plural,
  });
}

/** The path names nothing that is served. */
export function noSuchPath(): ApiError {
  return new ApiError(404, 'NotFound', 'the server could not find the requested resource', {});
}

export function methodNotAllowed(method: string): ApiError {
  return new ApiError(405, 'MethodNotAllowed', `${method} is not supported on this path`, {});
}

export function alreadyExists(about: About, name: string): ApiError {
  return new ApiError(409, 'AlreadyExists', `${qualified(about)} "${name}" already exists`, {
    name,
    ...groupOf(about),
    kind: about.plural,
  });
}

export function conflict(about: About, name: string, message: string): ApiError {
  return new ApiError(409, 'Conflict', `Operation cannot be fulfilled on ${qualified(about)} "${name}": ${message}`, {
    name,
    ...groupOf(about),
    kind: about.plural,
  });
}

export function expired(message: string, continueToken?: string): ApiError {
  return new ApiError(410, 'Expired', message, undefined, continueToken);
}

export function tooLarge(limitBytes: number): ApiError {
  return new ApiError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${String(limitBytes)} bytes`);
}

export function tooManyOperations(count: number, limit: number): ApiError {
  const message = `The allowed maximum operations in a JSON patch is ${String(limit)}, got ${String(count)}`;
  return new ApiError(413, 'RequestEntityTooLarge', message);
}

export function unsupportedMediaType(message: string): ApiError {
  return new ApiError(415, 'UnsupportedMediaType', message);
}

export function invalid(about: About, name: string, causes: readonly StatusCause[]): ApiError {
  const list = causes.map((cause) => (cause.field === undefined ? cause.message : `${cause.field}: ${cause.message}`));
  const text = list.length === 1 ? (list[0] ?? '') : `[${list.join(', ')}]`;
  const kind = about.group === '' ? about.kind : `${about.kind}.${about.group}`;
  return new ApiError(422, 'Invalid', `${kind} "${name}" is invalid: ${text}`, {
    name,
    ...groupOf(about),
    kind: about.kind,
    causes,
  });
}

/** A well-formed patch that does not fit the object. */
export function unprocessable(message: string): ApiError {
  return new ApiError(422, 'Invalid', message);
}

export function versionTooLarge(asked: number, current: number): ApiError {
  return new ApiError(504, 'Timeout', `Too large resource version: ${String(asked)}, current: ${String(current)}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
}

function qualified(about: About): string {
  return about.group === '' ? about.plural : `${about.plural}.${about.group}`;
}

function groupOf(about: About): { group?: string } {
  return about.group === '' ? {} : { group: about.group };
}
