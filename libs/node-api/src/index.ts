export { readAuthorities } from './authorities.ts';
export { type AgentName, type NodeApi, NodeApiError, type NodeApiErrorCode } from './node-api.ts';
export { createNodeApi, type NodeApiLimits, type NodeTransport } from './node-client.ts';
export type { RequestConnection, RequestHandler } from './request-handler.ts';
export { type NodeApiServerDeps, serveNodeApi } from './tls-server.ts';
export { NODE_API_PORTS, type NodeAddress, tlsTransport, type TlsTransportDeps } from './tls-transport.ts';
export { type Authenticate, createTokenGate, type TokenGateDeps } from './token-gate.ts';
export { unixTransport } from './unix-transport.ts';
