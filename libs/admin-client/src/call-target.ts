/** How an operation is asked for. */
export interface CallTarget {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With `{name}` for each parameter. */
  readonly path: string;
}

/** Of operations that take nothing. */
export interface NoInput {
  readonly query?: undefined;
}
