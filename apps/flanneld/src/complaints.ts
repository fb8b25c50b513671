/** What a turn found wrong, in the words that the log and Kubernetes Events carry. */
import type { Complaint } from '@canal/telemetry';
import type { NetworkResult } from './node-network.ts';
import { describeProblem } from './node-problem.ts';
import type { PeerFault } from './node-table.ts';

/** Failures are told by the first and their number: thousands of peers can fail for one reason. */
export function complaintsOf(result: NetworkResult, peerFaults: readonly PeerFault[]): readonly Complaint[] {
  const [firstFailure] = result.failures;
  return [
    ...result.nodeProblems.map((problem): Complaint => ({
      key: `${problem.reason} ${problem.message}`,
      severity: 'error',
      event: problem.reason,
      message: describeProblem(problem),
    })),
    ...result.warnings.map((message): Complaint => ({ key: message, severity: 'warning', message })),
    ...result.problems.map(({ code, severity, peer, family, message, cure }): Complaint => ({
      key: `${code} ${peer ?? ''} ${family ?? ''} ${peer === undefined ? message : ''}`,
      severity,
      event: code,
      message: `${message}. Cure: ${cure}`,
    })),
    ...result.conflicts.map(({ code, subject, message, cure }): Complaint => ({
      key: `${code} ${subject}`,
      severity: 'error',
      event: code,
      message: `${message}. Cure: ${cure}`,
    })),
    ...(firstFailure === undefined
      ? []
      : [
          {
            key: `failed ${firstFailure.text}`,
            severity: 'error' as const,
            message: `the kernel refused ${result.failures.length} changes, first: ${firstFailure.text}`,
          },
        ]),
    ...result.localFaults.map((message): Complaint => ({
      key: `local ${message}`,
      severity: 'error',
      event: 'DataplaneNotReady',
      message,
    })),
    ...peerFaults.map(({ node, message }): Complaint => ({
      key: `${node} ${message}`,
      severity: 'warning',
      event: 'PeerUnreadable',
      message: `node ${node}: ${message}`,
    })),
  ];
}
