import type { FlowFilter } from '@canal/admin-schema';

/** Of a flow, what a filter asks; not yet read, or read. */
export interface FlowGlance {
  readonly node: string;
  readonly verdict: unknown;
  readonly source: { readonly pod?: { readonly namespace: unknown } | undefined };
  readonly destination: { readonly pod?: { readonly namespace: unknown } | undefined };
}

export function meansFlow({ node, verdict, namespace }: FlowFilter, flow: FlowGlance): boolean {
  if (node !== undefined && flow.node !== node) return false;
  if (verdict !== undefined && flow.verdict !== verdict) return false;
  if (namespace === undefined) return true;
  return flow.source.pod?.namespace === namespace || flow.destination.pod?.namespace === namespace;
}
