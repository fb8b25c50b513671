/** Objects of policy in short, for tests and benchmarks. */
import type { Labels, LabelSelector, NetworkPolicy, PolicyEndpoint, PolicyPeer, PolicyPod } from '@canal/model';
import { type Cidr, type InterfaceName, type Ip, type Mac, parseCidr, parseIp, unwrap } from 'net-types';

export const ip = (text: string): Ip => unwrap(parseIp(text));
export const cidr = (text: string): Cidr => unwrap(parseCidr(text));

/** `podOf('a/web', '10.0.0.1', {…})`: the uid is `uid-<namespace>-<name>` unless told. */
export function podOf(path: string, addresses: string | readonly string[], more: Partial<PolicyPod> = {}): PolicyPod {
  const [namespace, name] = splitPath(path);
  return {
    namespace,
    name,
    uid: `uid-${namespace}-${name}`,
    labels: {},
    addresses: [addresses].flat().map(ip),
    node: 'n1',
    hostNetwork: false,
    completed: false,
    ports: [],
    createdMs: 1000,
    ...more,
  };
}

export function endpointOf(pod: PolicyPod, more: Partial<PolicyEndpoint> = {}): PolicyEndpoint {
  const { namespace, name, uid, addresses } = pod;
  return {
    key: `c-${namespace}-${name}/eth0`,
    pod: { namespace, name, uid },
    hostInterface: `cnl${namespace}${name}` as InterfaceName,
    mode: 'routed',
    addresses,
    mac: '02:00:00:00:00:01' as Mac,
    ...more,
  };
}

/** matchLabels. */
export function labelled(labels: Labels): LabelSelector {
  return Object.keys(labels)
    .sort()
    .map((key) => ({ key, operator: 'In', values: [labels[key] ?? ''] }));
}

export function podsWith(labels: Labels, namespaces: 'own' | Labels = 'own'): PolicyPeer {
  return { type: 'pods', namespaces: namespaces === 'own' ? 'own' : labelled(namespaces), pods: labelled(labels) };
}

export function blockOf(block: string, ...except: readonly string[]): PolicyPeer {
  return { type: 'block', cidr: cidr(block), except: except.map(cidr) };
}

export function policyOf(path: string, more: Partial<NetworkPolicy>): NetworkPolicy {
  const [namespace, name] = splitPath(path);
  return { namespace, name, uid: `uid-${namespace}-${name}`, podSelector: [], problems: [], ...more };
}

function splitPath(path: string): readonly [string, string] {
  const [namespace = '', name = ''] = path.split('/');
  return [namespace, name];
}
