export { PacketJudge, type PacketVerdict } from './judge-packet.ts';
export type { AllowRule, ChainId, Direction, PortMatch, RuleChain, RulePeer } from './rule-chain.ts';
export type { CounterId, CounterReading } from './rule-counter.ts';
export { type PortRange, PROTOCOL_NUMBER, type RulePacket, type RuleProtocol } from './rule-packet.ts';
export type { RuleSet, SetId, SetMember } from './rule-set.ts';
export type { MemberChange, RuleDelta, RuleEndpoint, RuleView } from './rule-view.ts';
