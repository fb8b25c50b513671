import type { KernelFault } from '@canal/kernel-port';

/** Thrown inside the fake to stop one operation; becomes its result. */
export class FakeFault extends Error implements KernelFault {
  override readonly name = 'FakeFault';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
