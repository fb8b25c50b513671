export { FakeNodes } from './fake-nodes.ts';
export { describeNodeApi, type NodeApiWorld } from './node-api-contract.ts';
export type { ScriptedAgent } from './scripted-agent.ts';
