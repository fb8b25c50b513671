/** The workload that a pod is of, told from what its controllers write into names and labels. */
import type { PolicyPod } from '@canal/model';

/**
 * `namespace/name`, where the name is the pod's own less what its controller put behind it:
 * - Deployment (label pod-template-hash): `web-5d4f8c7b9-x2x9z` is of `web`
 * - StatefulSet (label statefulset.kubernetes.io/pod-name): `db-0` is of `db`
 * - Job (label batch.kubernetes.io/job-name, or job-name): the job; of a CronJob, `backup-29384756` is of `backup`
 * - DaemonSet (label controller-revision-hash): `agent-x2x9z` is of `agent`
 * Any other pod is a workload of its own.
 */
export function defaultWorkloadOf({ namespace, name, labels }: PolicyPod): string {
  return `${namespace}/${workloadName(name, labels)}`;
}

function workloadName(name: string, labels: PolicyPod['labels']): string {
  const hash = labels['pod-template-hash'];
  if (hash !== undefined) {
    const at = name.lastIndexOf(`-${hash}-`);
    return at > 0 ? name.slice(0, at) : name;
  }
  if (labels['statefulset.kubernetes.io/pod-name'] === name) return name.replace(/-[0-9]+$/, '');
  const job = labels['batch.kubernetes.io/job-name'] ?? labels['job-name'];
  // A CronJob names its jobs by the minute since 1970.
  if (job !== undefined && job !== '') return job.replace(/-[0-9]{8,}$/, '');
  // Letters and digits that Kubernetes makes names of.
  if (labels['controller-revision-hash'] !== undefined) return name.replace(/-[bcdfghjklmnpqrstvwxz2456789]{5}$/, '');
  return name;
}
