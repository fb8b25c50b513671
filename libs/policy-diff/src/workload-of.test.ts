import type { PolicyPod } from '@canal/model';
import { expect, test } from 'vitest';
import { defaultWorkloadOf } from './workload-of.ts';

test.each<[string, Record<string, string>, string]>([
  ['web-5d4f8c7b9-x2x9z', { 'pod-template-hash': '5d4f8c7b9' }, 'web'],
  ['web-5d4f8c7b9', { 'pod-template-hash': '5d4f8c7b9' }, 'web-5d4f8c7b9'],
  ['db-0', { 'statefulset.kubernetes.io/pod-name': 'db-0' }, 'db'],
  ['db-0', {}, 'db-0'],
  ['import-x2x9z', { 'batch.kubernetes.io/job-name': 'import' }, 'import'],
  ['backup-29384756-x2x9z', { 'job-name': 'backup-29384756' }, 'backup'],
  ['agent-x2x9z', { 'controller-revision-hash': '7c9' }, 'agent'],
  ['etcd-node1', { component: 'etcd' }, 'etcd-node1'],
])('%s with labels %j is of %s', (name, labels, workload) => {
  expect(defaultWorkloadOf({ namespace: 'a', name, labels } as unknown as PolicyPod)).toBe(`a/${workload}`);
});
