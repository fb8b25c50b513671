export { AdminApiError, type AdminApiErrorCode } from './admin-api-error.ts';
export { type AdminClient, createAdminClient, type WholeList } from './admin-client.ts';
export type { StreamedEvent } from './event-reader.ts';
export type { AdminServer } from './exchange.ts';
export type * from './generated/types.ts';
