export { decodeAnswer, encodeAnswer, readAgentStatus, readEndpointAdded } from './answer-codec.ts';
export type {
  AgentStatusMessage,
  EndpointAdded,
  EndpointStatusMessage,
  PolicyStatusMessage,
  RuleCountMessage,
  StreamStatusMessage,
} from './answers.ts';
export { LineBuffer } from './line-buffer.ts';
export {
  type AgentAnswer,
  type AgentErrorCode,
  type AgentRequest,
  DEFAULT_POLICY_SOCKET,
  type EndpointMessage,
  type FlowEndMessage,
  type FlowRecord,
  MAX_REQUEST_BYTES,
  MAX_SOCKET_PATH_BYTES,
  type QuestionMessage,
} from './messages.ts';
export {
  type AddressesMessage,
  type AddressMessage,
  type AddressPoolMessage,
  type NetworkQuestion,
  type NetworkStatusMessage,
  NODE_AGENT_SOCKET,
  NODE_API_AUDIENCE,
  type NodeRequest,
  type PeerMessage,
  POLICY_AUTHORITY_FILE,
  type PolicyQuestion,
} from './node-messages.ts';
export { decodeNetworkQuestion, decodePolicyQuestion } from './node-request-codec.ts';
export { decodeRequest, encodeRequest, endpointKey } from './request-codec.ts';
