/** Results of 0.3.0 to 1.1.0 into the shape of 1.1: the versions differ in fields that are optional here. */
import { err, ok, parseInterfaceAddress, parseIp, type Result } from 'net-types';
import { Fields, type JsonValue, readFields } from './json-fields.ts';
import { type CniDns, type CniInterface, type CniIp, type CniResult, type CniRoute, NO_DNS } from './result.ts';

const U32_MAX = 0xffff_ffff;

/** A result from outside (prevResult, a plugin's stdout); the error names the field. `path` is where it stands. */
export function parseResult(value: JsonValue, path: string): Result<CniResult, string> {
  const read = readFields(() => readResult(Fields.of(value, path)));
  if (!read.ok) return read;
  const { interfaces, ips } = read.value;
  const astray = ips.findIndex((ip) => ip.interface !== undefined && ip.interface >= interfaces.length);
  if (astray < 0) return ok(read.value);
  const found = ips[astray]?.interface ?? -1;
  return err(`${path}.ips[${astray}].interface: ${found}: expected an index into ${interfaces.length} interfaces`);
}

/** Reads a result; throws inside readFields() alone. */
function readResult(fields: Fields): CniResult {
  // ip4/ip6 are the shape of 0.2.0: to take it for a result without addresses would lose them.
  if (fields.has('ip4')) fields.fail('ip4', 'a result of CNI 0.3.0 or newer (ips)');
  if (fields.has('ip6')) fields.fail('ip6', 'a result of CNI 0.3.0 or newer (ips)');
  return {
    interfaces: fields.objects('interfaces').map(readInterface),
    ips: fields.objects('ips').map(readIp),
    routes: fields.objects('routes').map(readRoute),
    dns: readDns(fields),
  };
}

function readInterface(fields: Fields): CniInterface {
  const mac = fields.optionalString('mac');
  const mtu = fields.optionalInteger('mtu', 0, U32_MAX);
  const sandbox = fields.optionalString('sandbox');
  const socketPath = fields.optionalString('socketPath');
  const pciID = fields.optionalString('pciID');
  return {
    name: fields.string('name'),
    ...(mac !== undefined && { mac }),
    ...(mtu !== undefined && mtu > 0 && { mtu }),
    ...(sandbox !== undefined && { sandbox }),
    ...(socketPath !== undefined && { socketPath }),
    ...(pciID !== undefined && { pciID }),
  };
}

function readIp(fields: Fields): CniIp {
  const gateway = fields.optionalParsed('gateway', parseIp);
  const index = fields.optionalInteger('interface', 0, U32_MAX);
  return {
    address: fields.parsed('address', parseInterfaceAddress),
    ...(gateway !== undefined && { gateway }),
    ...(index !== undefined && { interface: index }),
  };
}

function readRoute(fields: Fields): CniRoute {
  const gw = fields.optionalParsed('gw', parseIp);
  const numbers: { mtu?: number; advmss?: number; priority?: number; table?: number; scope?: number } = {};
  for (const key of ['mtu', 'advmss', 'priority', 'table', 'scope'] as const) {
    const value = fields.optionalInteger(key, 0, U32_MAX);
    if (value !== undefined) numbers[key] = value;
  }
  return { dst: fields.parsed('dst', parseInterfaceAddress), ...(gw !== undefined && { gw }), ...numbers };
}

/** The `dns` of a result or of a configuration. Throws inside readFields() alone. */
export function readDns(parent: Fields): CniDns {
  const fields = parent.optionalObject('dns');
  if (fields === undefined) return NO_DNS;
  const domain = fields.optionalString('domain');
  return {
    nameservers: fields.strings('nameservers'),
    ...(domain !== undefined && { domain }),
    search: fields.strings('search'),
    options: fields.strings('options'),
  };
}
