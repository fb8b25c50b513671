export type {
  AgentStatusMessage,
  EndpointAdded,
  EndpointStatusMessage,
  PolicyStatusMessage,
  StreamStatusMessage,
} from './answers.ts';
export {
  type AgentAnswer,
  type AgentErrorCode,
  type AgentRequest,
  DEFAULT_POLICY_SOCKET,
  type EndpointMessage,
  type FlowEndMessage,
  type FlowRecord,
  MAX_REQUEST_BYTES,
  type QuestionMessage,
} from './messages.ts';
