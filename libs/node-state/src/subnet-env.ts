/**
 * subnet.env: what the node agent tells CNI plugins, in flannel's format. Reading is as tolerant as flannel's own plugin
 * (unknown keys, comments, blank lines and any order are fine, the NETWORK keys may hold comma lists) and strict in the
 * values: flannel's plugin crashed on a CIDR that does not parse.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, basename } from 'node:path';
import {
  type Cidr,
  cidrOf,
  describeParseError,
  err,
  formatCidr,
  formatInterfaceAddress,
  type InterfaceAddress,
  ipFamily,
  type IpFamily,
  ok,
  parseInterfaceAddress,
  type Result,
} from 'net-types';
import { writeFileAtomic } from './atomic-file.ts';
import { errnoOf, ioError, NodeStateError } from './node-state-error.ts';

export interface SubnetEnvFamily {
  /** Cluster networks (FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK); the agent writes one. */
  readonly networks: readonly Cidr[];
  /** First usable address of the node's subnet, with the subnet's length: 10.244.1.1/24. */
  readonly subnet: InterfaceAddress;
}

export interface SubnetEnv {
  /** At least one of the two families is there. */
  readonly ipv4?: SubnetEnvFamily;
  readonly ipv6?: SubnetEnvFamily;
  readonly mtuBytes: number;
  /** The node agent masquerades, so that plugins must not. */
  readonly ipMasq: boolean;
  /** Boot in which canal's agent wrote it (CANAL_BOOT_ID); absent in files of flanneld. */
  readonly bootId?: string;
}

/** IPv4 hosts must take 68 bytes (RFC 791); beyond 65535 no device goes. */
const MTU_MIN = 68;
const MTU_MAX = 65_535;

/** Text of the file to values; the error names key, value and expectation. */
export function parseSubnetEnv(text: string): Result<SubnetEnv, string> {
  const values = readAssignments(text);
  const ipv4 = parseFamily(values, 4, 'FLANNEL_NETWORK', 'FLANNEL_SUBNET');
  if (!ipv4.ok) return ipv4;
  const ipv6 = parseFamily(values, 6, 'FLANNEL_IPV6_NETWORK', 'FLANNEL_IPV6_SUBNET');
  if (!ipv6.ok) return ipv6;
  if (ipv4.value === undefined && ipv6.value === undefined) {
    return err(
      'no subnet: expected FLANNEL_NETWORK and FLANNEL_SUBNET, or FLANNEL_IPV6_NETWORK and FLANNEL_IPV6_SUBNET',
    );
  }
  const mtuBytes = parseMtu(values.get('FLANNEL_MTU'));
  if (!mtuBytes.ok) return mtuBytes;
  const ipMasq = values.get('FLANNEL_IPMASQ');
  if (ipMasq === undefined) return err('FLANNEL_IPMASQ is missing');
  const bootId = values.get('CANAL_BOOT_ID');
  return ok({
    ...(ipv4.value !== undefined && { ipv4: ipv4.value }),
    ...(ipv6.value !== undefined && { ipv6: ipv6.value }),
    mtuBytes: mtuBytes.value,
    ipMasq: ipMasq === 'true',
    ...(bootId !== undefined && bootId !== '' && { bootId }),
  });
}

function readAssignments(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=');
    if (equals > 0) values.set(line.slice(0, equals), line.slice(equals + 1).trimEnd());
  }
  return values;
}

function parseFamily(
  values: ReadonlyMap<string, string>,
  family: IpFamily,
  networkKey: string,
  subnetKey: string,
): Result<SubnetEnvFamily | undefined, string> {
  const networkText = values.get(networkKey) ?? '';
  const subnetText = values.get(subnetKey) ?? '';
  if (networkText === '' && subnetText === '') return ok(undefined);
  if (subnetText === '') return err(`${subnetKey} is missing, although ${networkKey} is set`);
  if (networkText === '') return err(`${networkKey} is missing, although ${subnetKey} is set`);
  const subnet = parseInterfaceAddress(subnetText);
  if (!subnet.ok) return err(`${subnetKey}=${describeParseError(subnet.error)}`);
  if (ipFamily(subnet.value.ip) !== family) return err(`${subnetKey}=${subnetText}: expected an IPv${family} address`);
  const networks: Cidr[] = [];
  for (const part of networkText.split(',')) {
    // flannel's plugin clears host bits silently; net-conf.json files with them exist.
    const network = parseInterfaceAddress(part.trim());
    if (!network.ok) return err(`${networkKey}=${describeParseError(network.error)}`);
    if (ipFamily(network.value.ip) !== family) return err(`${networkKey}=${part}: expected an IPv${family} block`);
    networks.push(cidrOf(network.value.ip, network.value.prefixLen));
  }
  return ok({ networks, subnet: subnet.value });
}

function parseMtu(text: string | undefined): Result<number, string> {
  if (text === undefined) return err('FLANNEL_MTU is missing');
  const value = /^[0-9]{1,5}$/.test(text) ? Number(text) : NaN;
  if (value >= MTU_MIN && value <= MTU_MAX) return ok(value);
  return err(`FLANNEL_MTU=${JSON.stringify(text)}: expected a number of bytes within ${MTU_MIN}..${MTU_MAX}`);
}

/** The file's text, in flannel's order of keys; parseSubnetEnv gives the same values back. */
export function formatSubnetEnv(env: SubnetEnv): string {
  const lines: string[] = [];
  const family = (networkKey: string, subnetKey: string, value: SubnetEnvFamily | undefined): void => {
    if (value === undefined) return;
    lines.push(`${networkKey}=${value.networks.map(formatCidr).join(',')}`);
    lines.push(`${subnetKey}=${formatInterfaceAddress(value.subnet)}`);
  };
  family('FLANNEL_NETWORK', 'FLANNEL_SUBNET', env.ipv4);
  family('FLANNEL_IPV6_NETWORK', 'FLANNEL_IPV6_SUBNET', env.ipv6);
  lines.push(`FLANNEL_MTU=${env.mtuBytes}`, `FLANNEL_IPMASQ=${env.ipMasq}`);
  if (env.bootId !== undefined) lines.push(`CANAL_BOOT_ID=${env.bootId}`);
  return `${lines.join('\n')}\n`;
}

/** Throws NodeStateError: `missing` when there is no file, `invalid` naming the key, `io` otherwise. */
export function readSubnetEnv(path: string): SubnetEnv {
  const parsed = parseSubnetEnv(readText(path));
  if (parsed.ok) return parsed.value;
  throw new NodeStateError('invalid', path, parsed.error);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') {
      throw new NodeStateError(
        'missing',
        path,
        'not there: the node agent has not written this node’s subnet yet',
        error,
      );
    }
    throw ioError(path, 'read', error);
  }
}

/** Writes the file whole and syncs it (mode 0644, as flanneld); creates its directory. */
export function writeSubnetEnv(path: string, env: SubnetEnv): void {
  const directory = dirname(path);
  try {
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    throw ioError(directory, 'create', error);
  }
  writeFileAtomic(directory, basename(path), formatSubnetEnv(env), { mode: 0o644, survives: 'power-cut' });
}
