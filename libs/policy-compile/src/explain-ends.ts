/** Who the two ends of a question are. */
import type { PolicyEndpoint, PolicyPod } from '@canal/model';
import { err, formatIp, type Ip, ipFamily, ok, parseIp, type Result } from 'net-types';
import type { FlowEnd, FlowQuestion, QuestionProblem } from './explanation.ts';
import type { PolicyModel } from './policy-model.ts';

export interface ResolvedEnd {
  readonly ip: Ip;
  readonly kind: FlowEnd['kind'];
  /** `namespace/name`, or the address of what has no name. */
  readonly name: string;
  readonly pod?: { readonly namespace: string; readonly name: string };
  /** Of this node, when it has one. */
  readonly endpoint?: PolicyEndpoint;
  /** The pod as which it is judged; of a `host` the hostNetwork pod that was named. */
  readonly subject?: PolicyPod;
}

/** Both with addresses of one family. */
export function resolveEnds(
  model: PolicyModel,
  question: FlowQuestion,
): Result<{ readonly source: ResolvedEnd; readonly destination: ResolvedEnd }, QuestionProblem> {
  const source = candidatesOf(model, question, 'source');
  if (!source.ok) return source;
  const destination = candidatesOf(model, question, 'destination');
  if (!destination.ok) return destination;
  for (const from of source.value) {
    const to = destination.value.find(({ ip }) => ipFamily(ip) === ipFamily(from.ip));
    if (to !== undefined) return ok({ source: from, destination: to });
  }
  const families = (ends: readonly ResolvedEnd[]): string => ends.map(({ ip }) => `IPv${ipFamily(ip)}`).join(', ');
  return err({
    code: 'bad-request',
    field: 'destination',
    message: `${question.source} has ${families(source.value)} alone and ${question.destination} ${families(destination.value)}: expected two ends of one family`,
  });
}

/** The end by each of its addresses; at least one. */
function candidatesOf(
  model: PolicyModel,
  question: FlowQuestion,
  field: 'source' | 'destination',
): Result<readonly ResolvedEnd[], QuestionProblem> {
  const text = question[field];
  const address = parseIp(text);
  if (address.ok) return ok([endAt(model, address.value)]);
  const [namespace = '', name = '', ...rest] = text.split('/');
  if (namespace === '' || name === '' || rest.length > 0 || parseIp(namespace).ok) {
    const message = `${JSON.stringify(text)}: expected an address, or namespace/name of a pod`;
    return err({ code: 'bad-request', field, message });
  }
  const pod = model.pod(namespace, name);
  const endpoint = endpointOf(model, { namespace, name }, pod?.uid);
  const refuse = (code: QuestionProblem['code'], why: string): Result<never, QuestionProblem> =>
    err({ code, field, message: `pod ${text}: ${why}` });
  if (pod === undefined && endpoint === undefined) return refuse('not-found', 'the API tells of no such pod');
  if (pod?.hostNetwork === true) {
    if (pod.addresses.length === 0) return refuse('bad-request', 'it has no address yet');
    return ok(pod.addresses.map((ip) => ({ ip, kind: 'host', name: text, pod: { namespace, name }, subject: pod })));
  }
  if (endpoint !== undefined) return ok(endpoint.addresses.map((ip) => endOf(model, endpoint, ip)));
  if (pod === undefined || pod.completed) return refuse('bad-request', 'it is completed and has no network any more');
  if (pod.addresses.length === 0) return refuse('bad-request', 'it has no address yet');
  return ok(pod.addresses.map((ip) => podEnd(pod, ip)));
}

function endAt(model: PolicyModel, ip: Ip): ResolvedEnd {
  const endpoint = model.endpointOwning(ip);
  if (endpoint !== undefined) return endOf(model, endpoint, ip);
  const pod = model.podOwning(ip);
  if (pod !== undefined) return podEnd(pod, ip);
  return { ip, kind: model.nodeOf(ip) === undefined ? 'outside' : 'host', name: formatIp(ip) };
}

function endOf(model: PolicyModel, endpoint: PolicyEndpoint, ip: Ip): ResolvedEnd {
  const subject = model.subject(endpoint);
  const { pod } = endpoint;
  return {
    ip,
    kind: 'pod',
    name: pod === undefined ? formatIp(ip) : `${pod.namespace}/${pod.name}`,
    endpoint,
    ...(pod && { pod: { namespace: pod.namespace, name: pod.name } }),
    ...(subject && { subject }),
  };
}

function podEnd(subject: PolicyPod, ip: Ip): ResolvedEnd {
  const { namespace, name } = subject;
  return { ip, kind: 'pod', name: `${namespace}/${name}`, pod: { namespace, name }, subject };
}

/** That of the pod which the API tells of; of one that it has no more, whichever is there. */
function endpointOf(
  model: PolicyModel,
  pod: { readonly namespace: string; readonly name: string },
  uid: string | undefined,
): PolicyEndpoint | undefined {
  return [...model.endpoints()].find(
    (endpoint) =>
      endpoint.pod?.namespace === pod.namespace &&
      endpoint.pod.name === pod.name &&
      (uid === undefined || endpoint.pod.uid === uid),
  );
}
