export { createPolicyKernel, type PolicyNftKernelOptions } from './policy-nft-kernel.ts';
