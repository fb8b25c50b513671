export { type AgentName, type NodeApi, NodeApiError, type NodeApiErrorCode } from './node-api.ts';
