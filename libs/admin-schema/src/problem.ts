/** Errors of the admin API: RFC 9457 problem details, with a pointer to each field that is wrong. */
import * as z from 'zod';

/** Stable: clients compare them, and each is a heading of docs/admin-api.md. */
const PROBLEM_BASE = 'https://canalcni.github.io/problems/';

/** Every problem that the API can answer with. The name is the last part of its type. */
export const PROBLEMS = {
  'bad-request': { status: 400, title: 'The request cannot be read' },
  unauthenticated: { status: 401, title: 'No token that anybody knows' },
  forbidden: { status: 403, title: 'The token does not allow this' },
  'not-found': { status: 404, title: 'There is no such thing' },
  'method-not-allowed': { status: 405, title: 'The path does not take this method' },
  'not-acceptable': { status: 406, title: 'No such representation' },
  conflict: { status: 409, title: 'The state does not allow this' },
  'idempotency-mismatch': { status: 409, title: 'The Idempotency-Key was used for another request' },
  'cursor-expired': { status: 410, title: 'The list has changed too much to go on: begin anew' },
  'precondition-failed': { status: 412, title: 'Somebody else changed it: read it again' },
  'too-large': { status: 413, title: 'The body is too long or too deep' },
  'unsupported-media-type': { status: 415, title: 'The body is of a kind that is not read' },
  invalid: { status: 422, title: 'Fields that are not as they must be' },
  'precondition-required': { status: 428, title: 'Writes need If-Match with the ETag that was read' },
  'too-many-requests': { status: 429, title: 'Too many requests: wait as Retry-After says' },
  internal: { status: 500, title: 'A fault of the API itself' },
  unavailable: { status: 503, title: 'What the answer needs cannot be reached' },
} as const satisfies Readonly<Record<string, { readonly status: number; readonly title: string }>>;

export type ProblemName = keyof typeof PROBLEMS;

const fieldError = z
  .strictObject({
    pointer: z.string().meta({ description: 'JSON Pointer (RFC 6901) into the body, or `#query/NAME`, `#path/NAME`' }),
    detail: z.string().meta({ description: 'The value, and what is expected' }),
  })
  .meta({ id: 'FieldError' });

export const problemSchema = z
  .strictObject({
    type: z.enum(problemNames().map(problemType)),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().meta({ description: 'What happened, and the next step' }),
    instance: z.string().meta({ description: 'Id of the request, as in the header X-Request-Id and in the log' }),
    errors: z.array(fieldError).optional(),
  })
  .meta({ id: 'Problem', description: 'application/problem+json (RFC 9457)' });

export type Problem = z.infer<typeof problemSchema>;

export interface ProblemDetails {
  readonly detail: string;
  /** Id of the request. */
  readonly instance: string;
  readonly errors?: Problem['errors'];
}

export function problem(name: ProblemName, { detail, instance, errors }: ProblemDetails): Problem {
  const { status, title } = PROBLEMS[name];
  return { type: problemType(name), title, status, detail, instance, ...(errors !== undefined && { errors }) };
}

export function problemType(name: ProblemName): string {
  return `${PROBLEM_BASE}${name}`;
}

function problemNames(): ProblemName[] {
  return Object.keys(PROBLEMS) as ProblemName[];
}

/** What zod found wrong in one part of a request, as pointers; each with the value that was given, cut to what a line holds. */
export function fieldErrors(
  part: 'body' | 'query' | 'path',
  { issues }: z.core.$ZodError,
  input: unknown,
): NonNullable<Problem['errors']> {
  const root = part === 'body' ? '' : `#${part}`;
  const pointer = (path: readonly PropertyKey[]): string =>
    root + path.map((step) => `/${escapePointer(String(step))}`).join('');
  return issues.flatMap((issue) =>
    // Without its value: what was put where nobody looks for it may be a secret.
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ pointer: pointer([...issue.path, cut(key)]), detail: 'there is no such field' }))
      : [{ pointer: pointer(issue.path), detail: `${issue.message}; it is ${shown(valueAt(input, issue.path))}` }],
  );
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, step) => (typeof value === 'object' && value !== null ? Reflect.get(value, step) : undefined),
    input,
  );
}

function shown(value: unknown): string {
  const text = value === undefined ? 'absent' : JSON.stringify(value);
  return cut(text);
}

function cut(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

const MAX_SHOWN = 100;

/** RFC 6901 §3. */
function escapePointer(step: string): string {
  return step.replaceAll('~', '~0').replaceAll('/', '~1');
}
