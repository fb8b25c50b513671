import type { PolicyPod } from '@canal/model';
import { parseIp, unwrap } from 'net-types';

/** `podOf('a/web', ['10.0.0.1'], {…})`: on node n1, with label `app=web` unless told. */
export function podOf(path: string, addresses: readonly string[], more: Partial<PolicyPod> = {}): PolicyPod {
  const [namespace = '', name = ''] = path.split('/');
  return {
    namespace,
    name,
    uid: `uid-${path}`,
    labels: { app: name },
    addresses: addresses.map((text) => unwrap(parseIp(text))),
    node: 'n1',
    hostNetwork: false,
    completed: false,
    ports: [],
    createdMs: 1000,
    ...more,
  };
}
