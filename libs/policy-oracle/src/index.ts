export type { PolicyCluster } from './cluster.ts';
export { judgeByTheWords, type WordsVerdict } from './words.ts';
