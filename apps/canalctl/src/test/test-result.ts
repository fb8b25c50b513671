export type TestVerdict = 'ok' | 'fail' | 'skip';

export const TEST_GROUPS = [
  'start',
  'node-to-pod',
  'pod-to-pod',
  'large-packets',
  'pod-to-node',
  'service',
  'dns',
  'policy',
] as const;
export type TestGroup = (typeof TEST_GROUPS)[number];

export interface TestResult {
  /** Stable, and no other test of the run has it: `pod-to-pod/node1/node2/ipv4`. */
  readonly id: string;
  readonly group: TestGroup;
  readonly what: string;
  readonly verdict: TestVerdict;
  /** What was seen; of a `skip` why it was not looked at. */
  readonly found: string;
  /** Of a `fail`. */
  readonly cause?: string;
  readonly next?: string;
  readonly tookMs: number;
  /** Of a `skip` for want of time. */
  readonly isUnfinished?: true;
}
