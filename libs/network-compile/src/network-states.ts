import type { NetworkState } from '@canal/model';

export const EMPTY_STATE: NetworkState = {
  links: [],
  upLinks: [],
  ports: [],
  addresses: [],
  neighbours: [],
  proxies: [],
  fdb: [],
  nexthops: [],
  routes: [],
  sysctls: [],
};

/** The states side by side, such as the node's network and the routes to its pods. */
export function mergeStates(...states: readonly NetworkState[]): NetworkState {
  return {
    links: states.flatMap(({ links }) => links),
    upLinks: states.flatMap(({ upLinks }) => upLinks),
    ports: states.flatMap(({ ports }) => ports),
    addresses: states.flatMap(({ addresses }) => addresses),
    neighbours: states.flatMap(({ neighbours }) => neighbours),
    proxies: states.flatMap(({ proxies }) => proxies),
    fdb: states.flatMap(({ fdb }) => fdb),
    nexthops: states.flatMap(({ nexthops }) => nexthops),
    routes: states.flatMap(({ routes }) => routes),
    sysctls: states.flatMap(({ sysctls }) => sysctls),
  };
}
