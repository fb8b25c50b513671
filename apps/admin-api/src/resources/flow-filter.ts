import type { Flow, FlowFilter } from '@canal/admin-schema';

export function meansFlow({ node, verdict, namespace }: FlowFilter, flow: Flow): boolean {
  if (node !== undefined && flow.node !== node) return false;
  if (verdict !== undefined && flow.verdict !== verdict) return false;
  if (namespace === undefined) return true;
  return flow.source.pod?.namespace === namespace || flow.destination.pod?.namespace === namespace;
}
