import fc from 'fast-check';
import { formatInterfaceAddress } from 'net-types';
import { describe, expect, test } from 'vitest';
import { type CniCommand } from './environment.ts';
import { parseNetworkConfig, versionOfInput } from './network-config.ts';
import { SPEC_VERSIONS } from './spec-version.ts';

const CONFIG = { cniVersion: '1.1.0', name: 'canal', type: 'canal' };
const RESULT = { ips: [{ address: '10.244.1.5/32' }] };

function parse(config: unknown, command: CniCommand = 'ADD') {
  return parseNetworkConfig(JSON.stringify(config), command);
}

function codeOf(config: unknown, command: CniCommand = 'ADD'): number | 'accepted' {
  const result = parse(config, command);
  return result.ok ? 'accepted' : result.error.code;
}

describe('versions: each verb with each version of the specification', () => {
  const since = { ADD: 0, DEL: 0, CHECK: 1, STATUS: 3, GC: 3 } as const;
  const rows = SPEC_VERSIONS.flatMap((version, index) =>
    (['ADD', 'DEL', 'CHECK', 'STATUS', 'GC'] as const).map((command) => ({
      version,
      command,
      expected: index >= since[command] ? 'accepted' : 1,
    })),
  );
  test.each(rows)('$command $version: $expected', ({ version, command, expected }) => {
    expect(codeOf({ ...CONFIG, cniVersion: version, prevResult: RESULT }, command)).toBe(expected);
  });

  test.each(['0.1.0', '0.2.0', '0.3.0', '1.2.0', '2.0.0', '', 'latest'])('version %j is code 1', (cniVersion) => {
    expect(codeOf({ ...CONFIG, cniVersion })).toBe(1);
  });

  test('no version is 0.1.0 by the specification, so code 1; one that is no string is code 6', () => {
    expect(codeOf({ name: 'canal', type: 'canal' })).toBe(1);
    expect(codeOf({ ...CONFIG, cniVersion: 1 })).toBe(6);
  });
});

describe('what cannot be decoded is code 6, what can but is wrong is code 7', () => {
  test.each([
    ['', 6],
    ['{', 6],
    ['[]', 6],
    ['"x"', 6],
    ['null', 6],
    ['['.repeat(100_000), 6],
    ['{"cniVersion":"1.1.0","type":"canal"}', 7],
  ])('%j', (text, code) => {
    const result = parseNetworkConfig(text, 'ADD');
    expect(result).toMatchObject({ ok: false, error: { code } });
  });

  test.each([
    [{ name: '' }, 'name'],
    [{ name: '../x' }, 'name: "../x"'],
    [{ name: 'a/b' }, 'name'],
    [{ name: 7 }, 'name: 7: expected a string'],
    [{ name: 'a'.repeat(81) }, 'name'],
    [{ type: '../../bin/sh' }, 'type: "../../bin/sh"'],
    [{ dns: [] }, 'dns: expected a JSON object'],
    [{ dns: { search: ['x', 5] } }, 'dns.search[1]: expected a string, found 5'],
    [{ runtimeConfig: { ips: ['10.0.0.256'] } }, 'runtimeConfig.ips[0]: "10.0.0.256"'],
    [{ runtimeConfig: { mac: 'x' } }, 'runtimeConfig.mac: "x"'],
    [{ args: { cni: { ips: 'x' } } }, 'args.cni.ips: "x": expected a list'],
    [{ prevResult: [] }, 'prevResult: expected a JSON object'],
    [{ prevResult: { ips: [{}] } }, 'prevResult.ips[0].address'],
  ])('%j names the field', (change, expected) => {
    const result = parse({ ...CONFIG, ...change });
    expect(result).toMatchObject({ ok: false, error: { code: 7 } });
    expect(result.ok ? '' : result.error.message).toContain(expected);
  });
});

describe('requests for addresses', () => {
  const asked = (config: object): string[] => {
    const result = parse({ ...CONFIG, ...config });
    if (!result.ok) throw new Error(result.error.message);
    return result.value.requestedIps.map(formatInterfaceAddress);
  };
  test.each([
    ['the ips capability', { runtimeConfig: { ips: ['10.244.1.9/24', 'fd00::9'] } }, ['10.244.1.9/24', 'fd00::9/128']],
    ['args.cni.ips', { args: { cni: { ips: ['10.244.1.9'] } } }, ['10.244.1.9/32']],
    [
      'the capability before args',
      { runtimeConfig: { ips: ['10.244.1.8'] }, args: { cni: { ips: ['10.244.1.9'] } } },
      ['10.244.1.8/32'],
    ],
    ['none', {}, []],
  ])('%s', (_what, config, expected) => {
    expect(asked(config)).toEqual(expected);
  });

  test('DEL, CHECK and GC do not fail on a request they do not act on', () => {
    const bad = { ...CONFIG, prevResult: RESULT, runtimeConfig: { ips: ['x'] } };
    for (const command of ['DEL', 'CHECK', 'GC', 'STATUS'] as const) expect(codeOf(bad, command)).toBe('accepted');
  });
});

describe('prevResult', () => {
  test('CHECK needs one', () => {
    expect(codeOf(CONFIG, 'CHECK')).toBe(7);
  });
  test('DEL does without, and passes over one that cannot be read', () => {
    expect(parse(CONFIG, 'DEL')).toMatchObject({ ok: true });
    const torn = parse({ ...CONFIG, prevResult: { ips: 'x' } }, 'DEL');
    expect(torn.ok && torn.value.prevResult).toBe(undefined);
  });
  test('ADD has it as result', () => {
    const result = parse({ ...CONFIG, prevResult: RESULT });
    expect(result.ok && result.value.prevResult?.ips).toHaveLength(1);
  });
});

describe('valid attachments of GC', () => {
  const list = (config: object) => {
    const result = parse({ ...CONFIG, ...config }, 'GC');
    return result.ok ? result.value.validAttachments : result.error.code;
  };
  const one = [{ containerID: 'c1', ifname: 'eth0' }];
  test.each([
    ['a list', { 'cni.dev/valid-attachments': one }, [{ containerId: 'c1', containerInterface: 'eth0' }]],
    ['the misnamed key', { 'cni.dev/attachments': one }, [{ containerId: 'c1', containerInterface: 'eth0' }]],
    ['an empty list says that nothing lives', { 'cni.dev/valid-attachments': [] }, []],
    ['no key says nothing', {}, undefined],
    ['null says nothing', { 'cni.dev/valid-attachments': null }, undefined],
    ['no list is code 7', { 'cni.dev/valid-attachments': 'x' }, 7],
    ['an entry that cannot be read is code 7', { 'cni.dev/valid-attachments': [{ containerID: '../x' }] }, 7],
  ])('%s', (_what, config, expected) => {
    expect(list(config)).toEqual(expected);
  });
});

test('whatever the JSON, the answer is a configuration or one of codes 1, 6, 7', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('cniVersion', 'name', 'type', 'prevResult', 'dns', 'args', 'runtimeConfig', '__proto__'),
      fc.jsonValue(),
      fc.constantFrom<CniCommand>('ADD', 'DEL', 'CHECK', 'GC'),
      (key, value, command) => {
        const text = JSON.stringify({ ...CONFIG, prevResult: RESULT }).replace(
          '{',
          `{${JSON.stringify(key)}:${JSON.stringify(value)},`,
        );
        const result = parseNetworkConfig(text, command);
        if (!result.ok) expect([1, 6, 7]).toContain(result.error.code);
        const changed = parseNetworkConfig(JSON.stringify({ ...CONFIG, [key]: value }), command);
        if (!changed.ok) expect([1, 6, 7]).toContain(changed.error.code);
      },
    ),
    { numRuns: 500 },
  );
});

test('inherited names are no fields', () => {
  const result = parse({ ...CONFIG, dns: {}, args: { constructor: {} } });
  expect(result.ok).toBe(true);
  expect(codeOf({ cniVersion: '1.1.0', type: 'canal', __proto__: { name: 'x' } })).toBe(7);
});

test('VERSION answers in the version of the question when canal speaks it', () => {
  expect(versionOfInput('{"cniVersion":"0.4.0"}')).toBe('0.4.0');
  for (const text of ['', '{', '{}', '[]', '{"cniVersion":"9.9.9"}']) expect(versionOfInput(text)).toBeUndefined();
});
