import { parseIp, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { renderNextSteps } from './next-steps.ts';

const pod = (name: string, ip: string) => ({ name, namespace: 'default', ips: [unwrap(parseIp(ip))] });

test('names what is there, an IPv6 lab among it', () => {
  const text = renderNextSteps({
    command: 'npm run lab --',
    lab: 'lab',
    kubeconfig: '/run/k',
    nodes: [{ name: 'node1' }],
    pods: [pod('pod1', 'fd00::2'), pod('pod2', 'fd00:0:0:1::2')],
  });
  expect(text).toBe(
    [
      'Go on with',
      "  npm run lab -- pod exec pod1 -- ping -c1 fd00:0:0:1::2   a command in a pod's network",
      '  npm run lab -- node exec node1 -- ip route               what the agent has programmed',
      '  kubectl --kubeconfig /run/k get nodes                    the API server of the lab',
      '  npm run lab -- down                                      the end of it',
      '',
    ].join('\n'),
  );
});

test('a lab of another name is named in each command', () => {
  const text = renderNextSteps({ command: 'canalctl lab', lab: 'two', kubeconfig: '/run/k', nodes: [], pods: [] });
  expect(text).toContain('canalctl lab down --name two');
  expect(text).not.toContain('exec');
});
