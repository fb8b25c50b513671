/** The next step after a failure of the admin API, or on the way to it. */
import type { AdminApiError } from '@canal/admin-client';
import { EXIT, type ExitCode } from '../exit-code.ts';

export interface AdminErrorDescription {
  readonly hint: string;
  readonly exitCode: ExitCode;
}

export function describeAdminError({ code, problem, requestId }: AdminApiError): AdminErrorDescription {
  switch (code) {
    case 'problem':
      return describeProblem(problem, requestId);
    case 'unreachable':
      return {
        hint:
          'see that it runs: "kubectl -n canal-system get pods -l k8s-app=canal-admin-api"; that of a lab is started again by ' +
          '"canalctl lab up"; or name another with --admin-server',
        exitCode: EXIT.failed,
      };
    case 'untrusted':
      return {
        hint:
          'an admin API that has started again has a new certificate: run the same command again; else give the authority of its ' +
          'certificate with --admin-ca-file',
        exitCode: EXIT.failed,
      };
    case 'timeout':
      return { hint: `try again in a moment; if it stays, ${ITS_LOG}`, exitCode: EXIT.timeout };
    case 'broken':
      return {
        hint: `see that the admin API is what listens there, and that it is of the version of this program; ${ITS_LOG}`,
        exitCode: EXIT.failed,
      };
  }
}

const ITS_LOG = 'see its log: "kubectl -n canal-system logs -l k8s-app=canal-admin-api"';

function describeProblem(problem: AdminApiError['problem'], requestId: string | undefined): AdminErrorDescription {
  const status = problem?.status ?? 0;
  const noNode = { hint: '"canalctl node status" shows the nodes there are', exitCode: EXIT.notFound };
  if (problem?.errors?.some(({ pointer }) => pointer === '#query/node') === true) return noNode;
  const failed = (hint: string): AdminErrorDescription => ({ hint, exitCode: EXIT.failed });
  switch (status) {
    case 401:
      return failed('the token is not known there, or has run out: give another with --admin-token-file, or renew it');
    case 403:
      return failed(
        'use a role that may (--as-role admin for diag, audit and changes), another token, or bind the ClusterRole canal-view (or ' +
          'canal-admin) to the user of this one',
      );
    case 404:
      if (problem?.detail.includes('ConfigMap') !== true) return noNode;
      return {
        hint: 'deploy/canal.yaml has it, "kubectl -n canal-system get configmap" shows those there are; in a lab there is none',
        exitCode: EXIT.notFound,
      };
    case 400:
    case 422:
      return { hint: 'the command with --help says what it takes', exitCode: EXIT.usage };
    case 412:
    case 410:
      return failed('run the same command again');
    case 429:
    case 503:
      return failed('try again in a moment');
    default: {
      const log = requestId === undefined ? ITS_LOG : `${ITS_LOG}, request ${requestId}`;
      return failed(status >= 500 ? log : 'the command with --help says what it takes');
    }
  }
}
