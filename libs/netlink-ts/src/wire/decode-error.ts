/** Bytes that are not the message they claim to be. The only error that decoding throws. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
  readonly code = 'DECODE';
  /** What was being read, outermost first: `route.metrics.mtu`. Empty when the outer framing itself is broken. */
  readonly path: string;
  /** Byte offset in the datagram at which the reading failed. */
  readonly offset: number;

  constructor(path: string, offset: number, problem: string) {
    super(`${path === '' ? '' : `${path}: `}${problem} (at byte ${offset})`);
    this.path = path;
    this.offset = offset;
  }

  /** The same error seen from one level further out. */
  within(outer: string): DecodeError {
    const problem = this.path === '' ? this.message : this.message.slice(this.path.length + 2);
    return new DecodeError(
      this.path === '' ? outer : `${outer}.${this.path}`,
      this.offset,
      problem.replace(/ \(at byte \d+\)$/, ''),
    );
  }
}
