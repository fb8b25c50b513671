import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseEnvironment } from './environment.ts';

const ADD = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: '4f2b0c',
  CNI_NETNS: '/var/run/netns/cni-1',
  CNI_IFNAME: 'eth0',
  CNI_PATH: '/opt/cni/bin',
  CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web',
};

/** Names of variables in the order of the table, for each verb alone and with all of them. */
const VERBS = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'] as const;

describe('what each verb needs', () => {
  test.each([
    ['ADD', 'CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, CNI_PATH'],
    ['CHECK', 'CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, CNI_PATH'],
    ['DEL', 'CNI_CONTAINERID, CNI_IFNAME, CNI_PATH'],
    ['GC', 'CNI_PATH'],
    ['STATUS', 'CNI_PATH'],
  ])('%s without anything names %s, code 4', (command, names) => {
    const result = parseEnvironment({ CNI_COMMAND: command });
    expect(result).toMatchObject({ ok: false, error: { code: 4 } });
    expect(messageOf(result)).toContain(`${names}: required for ${command}`);
  });

  test('VERSION needs nothing', () => {
    expect(parseEnvironment({ CNI_COMMAND: 'VERSION' })).toEqual({ ok: true, value: { command: 'VERSION' } });
  });

  test.each(VERBS)('%s with all variables passes', (command) => {
    expect(parseEnvironment({ ...ADD, CNI_COMMAND: command })).toMatchObject({ ok: true, value: { command } });
  });

  test('DEL takes no namespace, an empty one, and CNI_ARGS that make no sense', () => {
    const rest = { ...ADD, CNI_COMMAND: 'DEL', CNI_ARGS: ';;=;FOO' };
    for (const netns of [undefined, '', 'not/absolute']) {
      const result = parseEnvironment({ ...rest, CNI_NETNS: netns });
      expect(result).toEqual({
        ok: true,
        value: { command: 'DEL', containerId: '4f2b0c', containerInterface: 'eth0' },
      });
    }
    expect(parseEnvironment(rest)).toMatchObject({ ok: true, value: { netns: '/var/run/netns/cni-1' } });
  });

  test.each(['add', 'REMOVE', '', 'constructor', '__proto__'])('the verb %j is code 4', (command) => {
    expect(parseEnvironment({ ...ADD, CNI_COMMAND: command })).toMatchObject({ ok: false, error: { code: 4 } });
  });
});

describe('hostile values are code 4 and name the variable', () => {
  test.each([
    ['CNI_CONTAINERID', ['../x', '.x', '-x', '_x', 'a/b', 'a b', 'a\nb', 'a\0b', 'ü', 'a'.repeat(151), '..']],
    [
      'CNI_IFNAME',
      ['../x', '.', '..', 'a/b', 'a:b', 'a b', 'a\tb', 'abcdefghijklmnop', 'lo', 'all', 'default', 'eth%d'],
    ],
    ['CNI_NETNS', ['netns', './x', '/a\0b', `/${'a'.repeat(4096)}`]],
    ['CNI_ARGS', ['FOO', '=x', 'IgnoreUnknown=1;FOO', 'UNKNOWN=1', 'IgnoreUnknown=0;UNKNOWN=1']],
  ])('%s', (name, values) => {
    for (const value of values) {
      const result = parseEnvironment({ ...ADD, [name]: value });
      expect(result, value).toMatchObject({ ok: false, error: { code: 4 } });
      expect(messageOf(result)).toContain(name);
    }
  });

  test('what is accepted can never leave a directory it is joined to', () => {
    const names = fc.oneof(fc.string({ maxLength: 20 }), fc.stringMatching(/^[a-z0-9._/-]{1,20}$/));
    fc.assert(
      fc.property(names, names, (id, ifname) => {
        const result = parseEnvironment({ ...ADD, CNI_CONTAINERID: id, CNI_IFNAME: ifname });
        if (!result.ok || result.value.command !== 'ADD') return;
        const file = `${result.value.containerId}:${result.value.containerInterface}`;
        expect(file).toMatch(/^[^/\0]+$/);
        expect(file.startsWith('.')).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });
});

test('CNI_ARGS are read to a map, values may hold "="', () => {
  const result = parseEnvironment({ ...ADD, CNI_ARGS: 'IgnoreUnknown=true;A=b=c;;IP=10.0.0.5' });
  if (!result.ok || result.value.command !== 'ADD') throw new Error('not accepted');
  expect([...result.value.args]).toEqual([
    ['IgnoreUnknown', 'true'],
    ['A', 'b=c'],
    ['IP', '10.0.0.5'],
  ]);
});

function messageOf(result: ReturnType<typeof parseEnvironment>): string {
  return result.ok ? 'accepted' : result.error.message;
}
