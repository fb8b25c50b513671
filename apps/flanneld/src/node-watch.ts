/** Events of Node objects into the table; the loops are told what to look at again. */
import type { Logger } from '@canal/runtime-port';
import { NODES, type Parse, type Store } from '@canal/store-port';
import type { AgentMetrics } from './agent-metrics.ts';
import type { NodeTable, NodeView } from './node-table.ts';

export interface NodeWatchDeps {
  readonly store: Store;
  readonly nodes: NodeTable;
  readonly parse: Parse<NodeView>;
  readonly log: Logger;
  readonly metrics: AgentMetrics;
  readonly onChange: () => void;
  readonly onOwnChange: () => void;
  readonly onConnection: (connected: boolean, error?: string) => void;
}

export async function watchNodes(deps: NodeWatchDeps, signal: AbortSignal): Promise<void> {
  const { store, nodes, parse } = deps;
  for await (const event of store.watch(NODES, parse, {}, signal)) {
    if (event.type === 'connection') {
      tellConnection(deps, event.connected, event.error);
      continue;
    }
    if (!nodes.apply(event)) continue;
    deps.onChange();
    if (event.type === 'in-sync' || event.key === nodes.ownName) deps.onOwnChange();
  }
}

function tellConnection({ log, metrics, onConnection }: NodeWatchDeps, connected: boolean, error?: string): void {
  metrics.apiConnected.set(connected ? 1 : 0);
  if (connected) {
    log.info({}, 'watching nodes');
  } else {
    metrics.apiReconnects.inc();
    log.warn({ error }, 'nodes are not watched, connecting again');
  }
  onConnection(connected, error);
}
