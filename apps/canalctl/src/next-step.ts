/** The next step after a failure that does not name one itself. */
import { type LabErrorCode } from '@canal/lab';
import { type KubeConfigErrorCode } from '@canal/store-kube';
import { type StoreErrorCode } from '@canal/store-port';
import type { PolicyAgentErrorCode } from './policy/agent-error.ts';

const LOOK = '"canalctl lab status" shows what is not well; "canalctl lab up" heals a lab, "canalctl lab down" ends it';

export const AFTER_LAB_ERROR: Readonly<Record<LabErrorCode, string>> = {
  'not-supported': 'run it on a machine that has this',
  'not-found': '"canalctl lab list" shows the labs, "canalctl lab status" nodes and pods of one',
  exists: '"canalctl lab status" shows what there is; choose another name',
  invalid: 'the command with --help says what it takes',
  busy: 'try again when it has ended',
  failed: LOOK,
  timeout: LOOK,
};

const AGAIN = 'run the same command again';

export const AFTER_STORE_ERROR: Readonly<Record<StoreErrorCode, string>> = {
  'not-found': '"canalctl lab get KIND", or kubectl, shows what there is',
  'already-exists': AGAIN,
  conflict: AGAIN,
  expired: AGAIN,
  'version-ahead': AGAIN,
  invalid: 'correct what is named, and run the same command again',
  forbidden: 'use a kubeconfig whose user may do this: --kubeconfig, --context',
  unauthorized: 'renew the credentials in the kubeconfig, or name another: --kubeconfig, --context',
  unavailable:
    'the API server does not answer: see that the server in the kubeconfig is the right one and can be reached; ' +
    'that of a lab is started again by "canalctl lab up"',
  unsupported: 'canal needs Kubernetes 1.30 or later; see that this is the address of an API server',
};

const OTHER_KUBECONFIG = 'name another with --kubeconfig or the variable KUBECONFIG';

export const AFTER_KUBECONFIG_ERROR: Readonly<Record<KubeConfigErrorCode, string>> = {
  unreadable: `see that the file is there and can be read, or ${OTHER_KUBECONFIG}`,
  malformed: `correct the file, or ${OTHER_KUBECONFIG}`,
  'missing-entry':
    'name another context with --context ("kubectl config get-contexts" lists them), or correct the file',
  unsupported: `change the file, or ${OTHER_KUBECONFIG}`,
  'exec-failed': 'run that program by hand to see what it lacks (a login as a rule), then the same command again',
};

const AGENT_LOG = 'see what the agent says: "kubectl logs -n canal-system POD -c policy-agent" or its log in a lab';

export const AFTER_AGENT_ERROR: Readonly<Record<PolicyAgentErrorCode, string>> = {
  'bad-request': 'the command with --help says what it takes',
  'not-found': '"kubectl get pods -A -o wide", or "canalctl policy endpoints", shows what there is',
  'not-ready': `it is not in sync yet: try again in a moment; if it stays, ${AGENT_LOG}`,
  kernel: AGENT_LOG,
  internal: AGENT_LOG,
  unreachable:
    'leave out --socket to ask the admin API of the cluster in the kubeconfig, or give --lab; run it with --socket on a node where ' +
    'the policy agent runs; "policy explain" also works without any of them, from files: -f',
  forbidden: 'run it as root',
  timeout: AGENT_LOG,
  broken: `agent and canalctl may be of different versions; ${AGENT_LOG}`,
};

/** What main() aborts the work with at SIGINT and SIGTERM. */
export const INTERRUPTED = 'interrupted';

/** Of anything else that was thrown. */
export function afterError(error: unknown): string {
  if (error instanceof Error && error.message === INTERRUPTED) {
    return 'the same command goes on where this one was; "canalctl lab down" ends a lab that is half up';
  }
  const known = AFTER_SYSTEM_ERROR.get(systemCode(error) ?? '');
  return known ?? 'run it again; if it stays, report it with this line and the command';
}

/** Whether the system refused what root may do. */
export function isForRoot(error: unknown): boolean {
  return ['EACCES', 'EPERM'].includes(systemCode(error) ?? '');
}

function systemCode(error: unknown): string | undefined {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'string' ? code : undefined;
}

const AFTER_SYSTEM_ERROR: ReadonlyMap<string, string> = new Map([
  ['EACCES', 'run it as root'],
  ['EPERM', 'run it as root'],
  ['EMFILE', 'allow more open files: ulimit -n 65536'],
  ['ENOENT', 'see that this file or directory is there'],
  ['ENOSPC', 'free space on that disk'],
  ['EROFS', 'use a directory that can be written to'],
]);
