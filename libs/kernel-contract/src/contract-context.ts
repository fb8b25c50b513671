import type { NetworkKernel } from '@canal/kernel-port';
import type { NetworkOperation, NetworkSnapshot } from '@canal/model';
import { SCOPE } from './objects.ts';
import type { ContractRig } from './rig.ts';

/** The machine of the running test, with the two questions that nearly every test asks. */
export class ContractContext {
  #rig: ContractRig | undefined;

  /** Called before each test; undefined after it. */
  set rig(rig: ContractRig | undefined) {
    this.#rig = rig;
  }

  get kernel(): NetworkKernel {
    return this.#current.kernel;
  }

  /** Results as words: `ok`, or the errno. */
  async apply(...operations: readonly NetworkOperation[]): Promise<string[]> {
    const results = await this.kernel.apply(operations);
    return results.map((result) => (result.ok ? 'ok' : result.error.code));
  }

  snapshot(): Promise<NetworkSnapshot> {
    return this.kernel.readSnapshot(SCOPE);
  }

  bySomebodyElse(...operations: readonly NetworkOperation[]): Promise<void> {
    return this.#current.bySomebodyElse(...operations);
  }

  async dispose(): Promise<void> {
    await this.#rig?.dispose();
    this.#rig = undefined;
  }

  get #current(): ContractRig {
    if (this.#rig === undefined) throw new Error('no test is running');
    return this.#rig;
  }
}
