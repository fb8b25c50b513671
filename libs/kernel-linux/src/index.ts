export { type LegacyChains, listLegacyChains } from './legacy-chains.ts';
export { createLinuxKernel, type LinuxKernelOptions } from './linux-kernel.ts';
export { createNftTrafficKernel, type NftTrafficKernelOptions } from './nft-traffic-kernel.ts';
