/** Who changed what through this API: the last records in memory, all of them in the log. */
import type { AuditRecord } from '@canal/admin-schema';
import type { Logger } from '@canal/runtime-port';
import type { AuditRecords } from './resources/audit.ts';

const MAX_RECORDS = 1000;
const MAX_LINES = 200;
const MAX_LINE_CHARS = 500;

export class AuditLog implements AuditRecords {
  readonly #log: Logger;
  readonly #ring: AuditRecord[] = [];
  #next = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  add(record: AuditRecord): void {
    const { changes } = record;
    const cut = changes.slice(0, MAX_LINES).map((line) => line.slice(0, MAX_LINE_CHARS));
    const more = changes.length > MAX_LINES ? [`and ${changes.length - MAX_LINES} more lines`] : [];
    const bounded = { ...record, object: record.object.slice(0, MAX_LINE_CHARS), changes: [...cut, ...more] };
    this.#log.info({ audit: bounded }, 'audit');
    this.#ring[this.#next % MAX_RECORDS] = bounded;
    this.#next += 1;
  }

  /** Newest first. */
  list(): readonly AuditRecord[] {
    const start = this.#next % MAX_RECORDS;
    return [...this.#ring.slice(start), ...this.#ring.slice(0, start)].reverse();
  }
}
