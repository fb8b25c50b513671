/** Where it is told that something is not served: the agents' log of problems. */
export interface ServiceProblems {
  /** All that is wrong with one part now; what is missing has ended. */
  update(part: string, problems: readonly ServiceProblem[]): void;
}

export interface ServiceProblem {
  readonly key: string;
  readonly severity: 'error' | 'warning';
  /** Reason of a Kubernetes Event. */
  readonly event: string;
  readonly message: string;
}
