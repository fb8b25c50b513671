/**
 * Keeps pods off a node whose policy agent has not been ready yet in this agent's life: they would wait for their rules.
 * Once open it stays so: running pods keep their rules without the agent, and for new ones the plugin asks it itself.
 */
import type { Clock, Logger } from '@canal/runtime-port';

export interface PolicyGateDeps {
  /** Undefined when the policy agent is ready, else why it is not. Never rejects. */
  readonly ask: () => Promise<string | undefined>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onOpen: () => void;
}

const ASK_INTERVAL_MS = 250;

export class PolicyGate {
  readonly #deps: PolicyGateDeps;
  #fault: string | undefined = 'the policy agent has not been asked yet';

  constructor(deps: PolicyGateDeps) {
    this.#deps = deps;
  }

  /** Why it is closed; undefined when it is open. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Asks until it is open, then waits for the end. */
  async run(signal: AbortSignal): Promise<void> {
    const { ask, clock, log, onOpen } = this.#deps;
    while (!signal.aborted && this.#fault !== undefined) {
      const reason = await ask();
      const fault = reason === undefined ? undefined : `waiting for the policy agent: ${reason}`;
      if (fault !== undefined && fault !== this.#fault) log.info({ reason }, 'waiting for the policy agent');
      this.#fault = fault;
      if (fault !== undefined) await clock.sleep(ASK_INTERVAL_MS, signal).catch(() => undefined);
    }
    if (signal.aborted) return;
    log.info({}, 'the policy agent is ready');
    onOpen();
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}
