export { describeNetworkKernel } from './network-kernel-contract.ts';
export type { ContractRig, MakeRig } from './rig.ts';
