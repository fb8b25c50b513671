import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { formatInterfaceAddress, parseCidr, parseInterfaceAddress, unwrap } from 'net-types';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NodeStateError } from './node-state-error.ts';
import { formatSubnetEnv, parseSubnetEnv, readSubnetEnv, type SubnetEnv, writeSubnetEnv } from './subnet-env.ts';

/** As flanneld 0.28 writes it. */
const FLANNELD = `FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.1.1/24
FLANNEL_MTU=1450
FLANNEL_IPMASQ=true
`;

const DUAL = `FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.1.1/24
FLANNEL_IPV6_NETWORK=fd00:10:244::/56
FLANNEL_IPV6_SUBNET=fd00:10:244:1::1/64
FLANNEL_MTU=1430
FLANNEL_IPMASQ=false
CANAL_BOOT_ID=0a3b2f5e-1111-4222-8333-444455556666
`;

describe('parseSubnetEnv', () => {
  test('reads what flanneld writes', () => {
    const env = expectOk(FLANNELD);
    expect(env.ipv4?.networks).toEqual([unwrap(parseCidr('10.244.0.0/16'))]);
    expect(env.ipv4?.subnet).toEqual(unwrap(parseInterfaceAddress('10.244.1.1/24')));
    expect(env).toMatchObject({ mtuBytes: 1450, ipMasq: true });
    expect(env.ipv6).toBeUndefined();
    expect(env.bootId).toBeUndefined();
  });

  test('reads both families and the boot id', () => {
    const env = expectOk(DUAL);
    expect(formatInterfaceAddress(env.ipv6?.subnet ?? never())).toBe('fd00:10:244:1::1/64');
    expect(env).toMatchObject({ mtuBytes: 1430, ipMasq: false, bootId: '0a3b2f5e-1111-4222-8333-444455556666' });
  });

  test.each([
    ['unknown keys, comments and blank lines', `# by hand\n\nFOO=bar\nnonsense\n${FLANNELD}`],
    ['lines in any order', FLANNELD.trim().split('\n').reverse().join('\n')],
    ['carriage returns', FLANNELD.replaceAll('\n', '\r\n')],
    ['a comma list of networks', FLANNELD.replace('10.244.0.0/16', '10.244.0.0/16,10.245.0.0/16')],
    ['a network with host bits', FLANNELD.replace('10.244.0.0/16', '10.244.7.0/16')],
  ])('takes %s', (_what, text) => {
    expect(formatInterfaceAddress(expectOk(text).ipv4?.subnet ?? never())).toBe('10.244.1.1/24');
  });

  test.each([
    ['', 'no subnet'],
    [FLANNELD.replace('10.244.1.1/24', '10.244.1.256/24'), 'FLANNEL_SUBNET="10.244.1.256/24"'],
    [FLANNELD.replace('10.244.1.1/24', 'fd00::1/64'), 'FLANNEL_SUBNET=fd00::1/64: expected an IPv4 address'],
    [FLANNELD.replace('10.244.0.0/16', '10.244.0.0'), 'FLANNEL_NETWORK="10.244.0.0"'],
    [FLANNELD.replace('10.244.0.0/16', '10.244.0.0/16,x'), 'FLANNEL_NETWORK="x"'],
    [FLANNELD.replace('FLANNEL_SUBNET', 'SUBNET'), 'FLANNEL_SUBNET is missing'],
    [FLANNELD.replace('FLANNEL_NETWORK', 'NETWORK'), 'FLANNEL_NETWORK is missing'],
    [FLANNELD.replace('1450', '-1'), 'FLANNEL_MTU="-1"'],
    [FLANNELD.replace('1450', '67'), 'within 68..65535'],
    [FLANNELD.replace('1450', '65536'), 'within 68..65535'],
    [FLANNELD.replace('FLANNEL_MTU', 'MTU'), 'FLANNEL_MTU is missing'],
    [FLANNELD.replace('FLANNEL_IPMASQ', 'IPMASQ'), 'FLANNEL_IPMASQ is missing'],
    [DUAL.replace('fd00:10:244::/56', '10.0.0.0/8'), 'FLANNEL_IPV6_NETWORK=10.0.0.0/8: expected an IPv6 block'],
  ])('refuses %j', (text, expected) => {
    const result = parseSubnetEnv(text);
    expect(result.ok ? 'accepted' : result.error).toContain(expected);
  });

  test('whatever the bytes, it answers and does not throw', () => {
    fc.assert(fc.property(fc.string(), (text) => typeof parseSubnetEnv(text).ok === 'boolean'));
    fc.assert(fc.property(mutated(DUAL), (text) => typeof parseSubnetEnv(text).ok === 'boolean'));
  });

  test('format gives the text that parse reads back to the same values', () => {
    for (const text of [FLANNELD, DUAL]) expect(formatSubnetEnv(expectOk(text))).toBe(text);
  });
});

describe('the file', () => {
  let directory = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'canal-subnet-env-'));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  test('is written whole, world-readable, into a directory made for it, and read back', () => {
    const path = join(directory, 'run/flannel/subnet.env');
    writeSubnetEnv(path, expectOk(DUAL));
    expect(readFileSync(path, 'utf8')).toBe(DUAL);
    expect(statSync(path).mode & 0o777).toBe(0o644);
    expect(readSubnetEnv(path)).toEqual(expectOk(DUAL));
    expect(readdirSync(join(directory, 'run/flannel'))).toEqual(['subnet.env']);
  });

  test('absent and invalid are told apart by code, and the error names the file and the key', () => {
    const path = join(directory, 'subnet.env');
    expect(catchError(() => readSubnetEnv(path))).toMatchObject({ code: 'missing', path });
    writeFileSync(path, 'FLANNEL_SUBNET=x');
    expect(catchError(() => readSubnetEnv(path))).toMatchObject({ code: 'invalid', path });
  });
});

function expectOk(text: string): SubnetEnv {
  const result = parseSubnetEnv(text);
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

function never(): never {
  throw new Error('the family is missing');
}

function catchError(action: () => unknown): NodeStateError {
  try {
    action();
  } catch (error) {
    if (error instanceof NodeStateError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** The text with one stretch replaced. */
function mutated(text: string): fc.Arbitrary<string> {
  return fc
    .tuple(fc.nat(text.length), fc.nat(20), fc.string({ maxLength: 12 }))
    .map(([at, length, put]) => text.slice(0, at) + put + text.slice(at + length));
}
