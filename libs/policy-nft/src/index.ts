export { silentLacks } from './kernel-age.ts';
export { createPolicyKernel, type PolicyNftKernelOptions } from './policy-nft-kernel.ts';
