/** Who changed what through this API, newest first. */
import type { AuditRecord } from '@canal/admin-schema';
import type { Handlers } from '../handler.ts';
import { Cursors } from './cursor.ts';
import { newestFirst } from './events.ts';
import { pageOfItems } from './pages.ts';

export interface AuditRecords {
  list(): readonly AuditRecord[];
}

const ORDER = {
  cursors: new Cursors('audit', {}),
  keyOf: ({ time, requestId }: AuditRecord) => [time, requestId],
  parts: 2,
  compare: newestFirst,
};

export function auditHandlers(records: AuditRecords): Pick<Handlers, 'listAuditRecords'> {
  return {
    // eslint-disable-next-line @typescript-eslint/require-await -- of handlers' shape: what it throws is a rejection
    async listAuditRecords({ query }) {
      return { body: pageOfItems(records.list(), query, ORDER) };
    },
  };
}
