import { API_SERVER_FLAGS, CNI_STATE_DIR_FLAG, NODE_API_FLAGS, PROGRAM_FLAGS, VERBOSITY_FLAG } from './common-flags.ts';
import type { FlagSpec } from './flag-spec.ts';

export const POLICY_AGENT_FLAGS = [
  ...API_SERVER_FLAGS,
  {
    name: 'kube-annotation-prefix',
    kind: 'text',
    initial: 'flannel.alpha.coreos.com',
    help: 'prefix of the Node annotations, as the node agent has it',
  },
  {
    name: 'net-config-path',
    kind: 'text',
    initial: '/etc/kube-flannel/net-conf.json',
    help: 'network configuration: the tunnel port that it names is guarded; it may be absent',
  },
  {
    name: 'socket',
    kind: 'text',
    initial: '/run/canal/policy.sock',
    help: 'unix socket for the CNI plugin and the command line',
  },
  CNI_STATE_DIR_FLAG,
  {
    name: 'strict',
    kind: 'switch',
    initial: 'true',
    help: 'cut flows that a change denies; false leaves established flows alone',
  },
  {
    name: 'tunnel-ports',
    kind: 'text',
    initial: '8472,8285',
    help: 'UDP ports of tunnels between nodes (vxlan, udp), closed to pods and to who is no node',
  },
  {
    name: 'allow-sample',
    kind: 'integer',
    initial: '0',
    help: 'of new allowed flows one in so many is recorded; 0: none',
  },
  { name: 'flow-records', kind: 'integer', initial: '10000', help: 'verdicts kept in memory for readers; 0: none' },
  {
    name: 'resync',
    kind: 'integer',
    initial: '30',
    help: 'seconds between full comparisons with the kernel; foreign changes are repaired at once, by events',
  },
  { name: 'healthz-ip', kind: 'text', initial: '127.0.0.1', help: 'address of /livez, /readyz and /metrics' },
  { name: 'healthz-port', kind: 'integer', initial: '9097', help: 'port of /livez, /readyz and /metrics; 0 is off' },
  ...NODE_API_FLAGS,
  VERBOSITY_FLAG,
  ...PROGRAM_FLAGS,
] as const satisfies readonly FlagSpec[];

export type PolicyAgentFlag = (typeof POLICY_AGENT_FLAGS)[number];
