export type { ApiContractOptions, ApiRequestInit, ApiSubject } from './api/subject.ts';
export { createFaultyProxy, type FaultyProxy } from './faulty-proxy.ts';
export { describeKubeApiContract } from './kube-api-contract.ts';
export { describeStoreContract, type StoreContractOptions, type StoreSubject } from './store-contract.ts';
