export { createPolicyEngine } from './create-policy-engine.ts';
export type {
  EndVerdict,
  Explanation,
  FlowEnd,
  FlowQuestion,
  QuestionProblem,
  RuleMiss,
  RuleReference,
} from './explanation.ts';
export {
  DEFAULT_POLICY_ENGINE_OPTIONS,
  type EndpointStatus,
  type PolicyEngine,
  type PolicyEngineOptions,
  type PolicyStatus,
} from './policy-engine.ts';
export type { RuleHits } from './rule-hits.ts';
