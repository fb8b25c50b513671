/** Whether what a try gave is as expected, and what to do when it is not. */
import type { DialAnswer } from './dial.ts';
import type { Expectation, PlannedTest, Try } from './plan-tests.ts';
import type { TestGroup } from './test-result.ts';

/** Undefined when it is as expected, else what is wrong. */
export function judge(expected: Expectation, answer: DialAnswer): string | undefined {
  switch (expected.type) {
    case 'pod':
      return answer.ok ? judgePod(expected, answer) : answer.message;
    case 'anybody':
      return answer.ok || answer.why === 'refused' ? undefined : answer.message;
    case 'addresses': {
      if (!answer.ok) return answer.message;
      const found = answer.addresses ?? [];
      const missing = expected.all.filter((one) => !found.includes(one));
      return missing.length === 0 ? undefined : `the name leads to ${listOf(found)}, not to ${listOf(missing)}`;
    }
    case 'silence':
      if (answer.ok) return `${answer.pod ?? 'somebody'} answered`;
      return answer.why === 'silent' ? undefined : answer.message;
  }
}

function judgePod(
  { pods, source }: Extract<Expectation, { type: 'pod' }>,
  { pod, seen }: Extract<DialAnswer, { ok: true }>,
): string | undefined {
  if (pod === undefined || !pods.includes(pod)) return `${pod ?? 'nobody'} answered, not ${pods.join(' or ')}`;
  if (source === undefined || seen === source) return undefined;
  return `it arrives from ${seen ?? 'nowhere'}, not from the pod's ${source}: something translates addresses of pods`;
}

function listOf(addresses: readonly string[]): string {
  return addresses.length === 0 ? 'no address' : addresses.join(', ');
}

/** In a few words, of a try that is as expected. */
export function describeSuccess({ label, expected }: Try, answer: DialAnswer): string {
  if (expected.type === 'silence') return `${label} not let through`;
  if (!answer.ok) return `${label} refused by the node, so reached`;
  if (answer.addresses !== undefined) return `${label} ${answer.addresses.join(', ')}`;
  return answer.packetBytes === undefined ? label : `${label} of ${answer.packetBytes} bytes`;
}

const LOOK = '"canalctl status" shows agents and peers';

const NEXT: Readonly<Record<TestGroup, string>> = {
  start: '"kubectl describe pod" and the logs of kubelet and flanneld on that node say more',
  'node-to-pod': `see that no firewall on the node keeps its own packets from pods; ${LOOK}`,
  'pod-to-pod': `${LOOK}; "canalctl flows --denied" shows what policies drop; "canalctl check" on both nodes shows who else drops packets`,
  'large-packets':
    'a link on the way carries less than the MTU of pods: "canalctl check" shows MTUs; lower MTU in net-conf.json, or raise that of ' +
    'the network between the nodes',
  'pod-to-node': 'see whether a firewall on the node keeps pods out ("canalctl check" there shows chains that drop)',
  service: 'see that kube-proxy runs on that node and is well: "kubectl -n kube-system get pods -o wide"',
  dns: 'see that the pods of DNS run: "kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide"',
  policy: `see that the policy agent runs on both nodes: ${LOOK}; "canalctl policy explain" says what a flow meets`,
};

/** Between nodes there is one cause more: what carries packets there. */
const NEXT_APART =
  '"canalctl node status" shows which peers are reached; let UDP port 8472 (vxlan) through between the nodes, or, with host-gw, ' +
  'packets with addresses of pods; "canalctl check" on both nodes shows more';

export function nextOf({ id, group }: PlannedTest): string {
  const [, from, to] = id.split('/');
  return group === 'pod-to-pod' && from !== to ? NEXT_APART : NEXT[group];
}
