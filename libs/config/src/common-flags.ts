/** Flags that both agents have, with one name, default and meaning. */
import type { FlagSpec } from './flag-spec.ts';

export const API_SERVER_FLAGS = [
  { name: 'kube-api-url', kind: 'text', initial: '', help: 'Kubernetes API server, else kubeconfig or in-cluster' },
  { name: 'kubeconfig-file', kind: 'text', initial: '', help: 'kubeconfig file, else in-cluster configuration' },
] as const satisfies readonly FlagSpec[];

export const CNI_STATE_DIR_FLAG = {
  name: 'cni-state-dir',
  kind: 'text',
  initial: '/var/lib/canal',
  help: "directory of the CNI plugin's records",
} as const satisfies FlagSpec;

export const NODE_API_FLAGS = [
  {
    name: 'node-api-port',
    kind: 'integer',
    initial: '0',
    help: 'TLS port on which the admin API is told of this node, and nothing is changed; 0 is off',
  },
  {
    name: 'node-api-user',
    kind: 'text',
    initial: 'system:serviceaccount:canal-system:canal-admin-api',
    help: 'who may ask there: the user that the API server names for the token shown',
  },
] as const satisfies readonly FlagSpec[];

export const VERBOSITY_FLAG = {
  name: 'v',
  kind: 'integer',
  initial: '0',
  help: 'log verbosity; 4 and above also log each single change',
} as const satisfies FlagSpec;

export const PROGRAM_FLAGS = [
  { name: 'help', kind: 'switch', initial: 'false', help: 'print this text' },
  { name: 'version', kind: 'switch', initial: 'false', help: 'print the version' },
] as const satisfies readonly FlagSpec[];
