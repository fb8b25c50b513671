import { ProblemError } from '../handler.ts';
import type { ClusterNodes } from './cluster-nodes.ts';

/** All nodes, or the one that a parameter names, in order. Throws ProblemError when there is no such node. */
export function nodesMeant(nodes: ClusterNodes, name: string | undefined): readonly string[] {
  if (name === undefined) return nodes.names();
  if (nodes.get(name) !== undefined) return [name];
  const detail = `there is no node ${JSON.stringify(name)}; GET /v1/nodes lists them`;
  throw new ProblemError('invalid', detail, { errors: [{ pointer: '#query/node', detail }] });
}
