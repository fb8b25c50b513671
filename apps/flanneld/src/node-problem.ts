/** Why this node cannot be set up, worded for whoever has to cure it. Shown by /readyz, in the log and as an Event. */
export interface NodeProblem {
  /** Stable, CamelCase: the reason of the Event. */
  readonly reason: string;
  readonly message: string;
  /** The setting or command that ends it. */
  readonly cure: string;
}

export function describeProblem(problem: NodeProblem): string {
  return `${problem.message}. ${problem.cure}`;
}
