/** The plugin's records into the endpoints: at the start, after changes in their directories, and from time to time. */
import { mkdirSync } from 'node:fs';
import { endpointKey } from '@canal/agent-protocol';
import { parseNetworkName } from '@canal/cni-spec';
import { type AttachmentStore, watchDirectoryOf } from '@canal/node-state';
import type { Clock, Logger } from '@canal/runtime-port';
import type { Complaint, ProblemLog } from '@canal/telemetry';
import type { Endpoints } from './endpoints.ts';

export interface AttachmentWatchDeps {
  readonly attachments: Pick<AttachmentStore, 'list' | 'directoryOf'>;
  /** Of the directories, one a network, that hold the records. */
  readonly root: string;
  readonly listNetworks: (root: string) => readonly string[];
  readonly endpoints: Pick<Endpoints, 'setRecorded'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly problems: Pick<ProblemLog, 'update'>;
}

/**
 * After a change: the plugin says what is new on the socket and what ends there too, so this is for what it could not
 * say, and a burst of a hundred pods shall not be read a hundred times.
 */
const SETTLED_MS = 500;
/** When nothing was told. */
const SWEEP_MS = 30_000;
const RETRY_MS = 1_000;

export class AttachmentWatch {
  readonly #deps: AttachmentWatchDeps;
  readonly #watched = new Set<string>();
  #wake: AbortController | undefined;
  readonly #wasRead = Promise.withResolvers<undefined>();
  #changed = true;

  constructor(deps: AttachmentWatchDeps) {
    this.#deps = deps;
  }

  /** Resolves when the records have been read once: before that nobody knows which endpoints there are. */
  get read(): Promise<void> {
    return this.#wasRead.promise;
  }

  #read(): void {
    const { attachments, endpoints, problems } = this.#deps;
    this.#changed = false;
    const { attachments: records, unreadable } = attachments.list();
    endpoints.setRecorded(
      records,
      new Set(unreadable.flatMap(({ key }) => (key === undefined ? [] : [endpointKey(key)]))),
    );
    problems.update(
      'attachments',
      unreadable.map(({ path, problem }): Complaint => ({
        key: path,
        severity: 'error',
        event: 'AttachmentUnreadable',
        message: `${path}: ${problem}: the pod is isolated; deleting it mends it`,
      })),
    );
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, root, problems } = this.#deps;
    let failed = false;
    while (!signal.aborted) {
      try {
        this.#watchDirectories(signal);
        this.#read();
        this.#wasRead.resolve(undefined);
        failed = false;
      } catch (error) {
        problems.update('attachments', [unlisted(root, error)]);
        failed = true;
        this.#changed = false;
      }
      await this.#sleep(failed ? RETRY_MS : SWEEP_MS, signal);
      // The time in which a burst comes to its end.
      if (this.#changed) await clock.sleep(SETTLED_MS, signal).catch(() => undefined);
    }
  }

  /** Networks come with their first pod. */
  #watchDirectories(signal: AbortSignal): void {
    const { root, attachments, listNetworks, log } = this.#deps;
    mkdirSync(root, { recursive: true });
    const directories = listNetworks(root).flatMap((name) => {
      const network = parseNetworkName(name);
      return network.ok ? [attachments.directoryOf(network.value)] : [];
    });
    for (const directory of [root, ...directories]) {
      if (this.#watched.has(directory)) continue;
      this.#watched.add(directory);
      watchDirectoryOf(`${directory}/.`, log, () => this.#mark(), signal);
    }
  }

  #mark(): void {
    this.#changed = true;
    this.#wake?.abort();
  }

  async #sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    if (this.#changed) return;
    this.#wake = new AbortController();
    await this.#deps.clock.sleep(delayMs, AbortSignal.any([signal, this.#wake.signal])).catch(() => undefined);
    this.#wake = undefined;
  }
}

function unlisted(root: string, error: unknown): Complaint {
  const reason = error instanceof Error ? error.message : String(error);
  const message =
    `the records of this node's pods under ${root} cannot be listed: ${reason}. No rule is written before they are, ` +
    'and pods that come or go are not seen. Cure: mount the directory where --cni-state-dir says, readable by root';
  return { key: 'directory', severity: 'error', event: 'AttachmentUnreadable', message };
}
