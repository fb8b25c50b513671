import { describe, expect, test } from 'vitest';

import { parseChoice, parseCommandLine, parseCount } from './command-line.ts';
import { ClusterError } from './failure.ts';

const words = (line: string): string[] => line.split(' ').filter((word) => word !== '');

describe('parseCommandLine', () => {
  test.each([
    ['', { command: 'help', name: 'canal', options: {}, words: [] }],
    ['up --nodes 3 --name h3', { command: 'up', name: 'h3', options: { nodes: '3' }, words: [] }],
    ['--name=h3 up --ip-family=dual', { command: 'up', name: 'h3', options: { 'ip-family': 'dual' }, words: [] }],
    ['up --help', { command: 'help', name: 'canal', options: {}, words: [] }],
    [
      'kubectl get pods --namespace x -o wide',
      { command: 'kubectl', name: 'canal', options: {}, words: ['get', 'pods', '--namespace', 'x', '-o', 'wide'] },
    ],
    ['kubectl --name h3 get nodes', { command: 'kubectl', name: 'h3', options: {}, words: ['get', 'nodes'] }],
    ['kubectl --help', { command: 'kubectl', name: 'canal', options: {}, words: ['--help'] }],
    ['node 1 ip --json link', { command: 'node', name: 'canal', options: {}, words: ['1', 'ip', '--json', 'link'] }],
    ['node --name h3 1 -- ip link', { command: 'node', name: 'h3', options: {}, words: ['1', 'ip', 'link'] }],
    ['outside --name h3 ping -c 1 x', { command: 'outside', name: 'h3', options: {}, words: ['ping', '-c', '1', 'x'] }],
    ['load-image a.tar --node 2', { command: 'load-image', name: 'canal', options: { node: '2' }, words: ['a.tar'] }],
    ['restart 1 kubelet', { command: 'restart', name: 'canal', options: {}, words: ['1', 'kubelet'] }],
  ])('%s', (line, expected) => {
    expect(parseCommandLine(words(line))).toEqual(expected);
  });

  test.each([
    ['up --node 2', 'up has no option --node; it has --name, --nodes, --kube-proxy'],
    ['up --nodes', '--nodes needs a value'],
    ['down h3', 'down does not take the word "h3"; a cluster is named by --name'],
    ['load-image a.tar b.tar', 'load-image does not take the word "b.tar"'],
    ['down --name A', '--name "A": expected'],
  ])('%s is refused', (line, message) => {
    expect(() => parseCommandLine(words(line))).toThrow(message);
  });
});

test('a choice names what is known', () => {
  expect(parseChoice('--kubernetes', '1.35', ['1.36', '1.35'])).toBe('1.35');
  expect(() => parseChoice('--kubernetes', '1.20', ['1.36', '1.35'])).toThrow(
    '--kubernetes "1.20": expected one of 1.36, 1.35',
  );
});

test.each(['0', '201', '2x', '-1', ''])('%j is no number of nodes', (text) => {
  expect(() => parseCount('--nodes', text, 200)).toThrow('expected a number from 1 to 200');
});

test.each([
  ['failed', 1],
  ['usage', 2],
  ['host', 3],
  ['conflict', 4],
  ['absent', 5],
] as const)('a failure of kind %s ends the program with %d', (code, status) => {
  expect(new ClusterError(code, 'x').exitStatus).toBe(status);
});
