export type { PolicyCluster } from './cluster.ts';
