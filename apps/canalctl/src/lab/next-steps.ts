/** What a newcomer types after `lab up`, with the names and addresses of this very lab. */
import { type Ip, formatIp } from 'net-types';

export interface NextSteps {
  /** How `canalctl lab` is started here: `npm run lab --` in the workspace. */
  readonly command: string;
  readonly lab: string;
  readonly kubeconfig: string;
  readonly nodes: readonly { readonly name: string }[];
  readonly pods: readonly { readonly name: string; readonly namespace: string; readonly ips: readonly Ip[] }[];
}

const DEFAULT_LAB = 'lab';

export function renderNextSteps({ command, lab, kubeconfig, nodes, pods }: NextSteps): string {
  const named = lab === DEFAULT_LAB ? '' : ` --name ${lab}`;
  const steps: [string, string][] = [];
  const pod = pods.find(({ namespace }) => namespace === 'default');
  const target = pods.findLast(({ ips }) => ips.length > 0)?.ips[0];
  if (pod !== undefined && target !== undefined) {
    steps.push([
      `${command} pod exec${named} ${pod.name} -- ping -c1 ${formatIp(target)}`,
      "a command in a pod's network",
    ]);
  }
  const node = nodes[0];
  if (node !== undefined) {
    steps.push([`${command} node exec${named} ${node.name} -- ip route`, 'what the agent has programmed']);
  }
  steps.push([`kubectl --kubeconfig ${kubeconfig} get nodes`, 'the API server of the lab']);
  steps.push([`${command} down${named}`, 'the end of it']);
  const width = Math.max(...steps.map(([typed]) => typed.length));
  return `Go on with\n${steps.map(([typed, why]) => `  ${typed.padEnd(width)}   ${why}\n`).join('')}`;
}
