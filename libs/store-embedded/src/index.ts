export {
  type AccessRequest,
  allowAuthenticated,
  type Authorize,
  type TokenEntry,
  type User,
} from './authentication.ts';
export {
  createEmbeddedServer,
  type EmbeddedServer,
  type EmbeddedServerOptions,
  type Listener,
  type ListenOptions,
} from './embedded-server.ts';
export type { HistoryWindow } from './object-database.ts';
export type { RequestHandler } from './request-handler.ts';
