/** What a node has in its kernel and on disk, told by iproute2, nft, sysctl and find: one line a thing. */
import { spawnSync } from 'node:child_process';

export type NodeSnapshot = readonly string[];

/** How commands are run in the node's network: a namespace of the tests. */
export interface NodeShell {
  run(argv: readonly string[]): string;
  exec(argv: readonly string[]): { readonly stdout: string };
  json(argv: readonly string[]): unknown;
}

/** Counts and times that change by themselves. */
const RESTLESS =
  /^net\.(?:netfilter\.nf_conntrack_count|core\.flow_limit|ipv4\.tcp_fastopen_key|ipv6\.conf\.[^ ]+\.stable_secret)/;

export function snapshotOf(netns: NodeShell, root: string): NodeSnapshot {
  const lines = (text: string): string[] => text.split('\n').filter((line) => line.trim() !== '');
  const objects = (kind: string, ...argv: string[]): string[] =>
    (netns.json(['ip', '-j', ...argv]) as Record<string, unknown>[]).map((object) => {
      // They run down.
      return `${kind} ${JSON.stringify(object, (key, value: unknown) => (/life_time$|_timer$/.test(key) ? 0 : value))}`;
    });
  const neighbours = objects('neighbour', 'neigh').filter((line) => line.includes('PERMANENT'));
  return [
    ...objects('link', '-d', 'link'),
    ...objects('address', '-d', 'addr'),
    ...objects('route', '-d', '-4', 'route', 'show', 'table', 'all'),
    ...objects('route6', '-d', '-6', 'route', 'show', 'table', 'all'),
    ...objects('rule', '-4', 'rule'),
    ...objects('rule6', '-6', 'rule'),
    ...neighbours,
    ...lines(netns.run(['ip', 'nexthop'])).map((line) => `nexthop ${line}`),
    // A frame that the kernel sends by itself is counted between two snapshots.
    ...lines(netns.run(['nft', '--stateless', 'list', 'ruleset'])).map((line) => `nft ${line}`),
    ...lines(netns.exec(['sysctl', '-a']).stdout).filter((line) => line.startsWith('net.') && !RESTLESS.test(line)),
    ...lines(find(root)),
  ];
}

function find(root: string): string {
  const argv = [root, '-path', `${root}/proc`, '-prune', '-o', '-printf', 'file %P %y %m %U %s\n'];
  // The size of a directory says nothing.
  return spawnSync('find', argv, { encoding: 'utf8' }).stdout.replaceAll(/^(file \S* d \d+ \d+) \d+$/gm, '$1');
}
