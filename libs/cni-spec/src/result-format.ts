/** Results in the shape that the requested version of the specification knows; what it does not know is dropped. */
import { formatInterfaceAddress, formatIp, ipFamily } from 'net-types';
import { type JsonObject, type JsonValue } from './json-fields.ts';
import { type CniDns, type CniInterface, type CniIp, type CniResult, type CniRoute } from './result.ts';
import { type SpecVersion, specVersionAtLeast } from './spec-version.ts';

type JsonField = JsonValue | undefined;

/** Only set fields: an absent key and a null one are not the same to every reader. */
function object(fields: Readonly<Record<string, JsonField>>): JsonObject {
  const set: Record<string, JsonValue> = {};
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) set[key] = value;
  return set;
}

export function resultToJson(result: CniResult, version: SpecVersion): JsonObject {
  return object({
    cniVersion: version,
    interfaces:
      result.interfaces.length === 0 ? undefined : result.interfaces.map((item) => interfaceOf(item, version)),
    ips: result.ips.length === 0 ? undefined : result.ips.map((item) => ipOf(item, version)),
    routes: result.routes.length === 0 ? undefined : result.routes.map((item) => routeOf(item, version)),
    dns: dnsOf(result.dns),
  });
}

/** What ADD prints. */
export function formatResult(result: CniResult, version: SpecVersion): string {
  return `${JSON.stringify(resultToJson(result, version), undefined, 4)}\n`;
}

function interfaceOf({ name, mac, mtu, sandbox, socketPath, pciID }: CniInterface, version: SpecVersion): JsonObject {
  const newer = specVersionAtLeast(version, '1.1.0') ? { mtu, socketPath, pciID } : {};
  return object({ name, mac, sandbox, ...newer });
}

function ipOf(ip: CniIp, version: SpecVersion): JsonObject {
  return object({
    version: specVersionAtLeast(version, '1.0.0') ? undefined : String(ipFamily(ip.address.ip)),
    interface: ip.interface,
    address: formatInterfaceAddress(ip.address),
    gateway: ip.gateway === undefined ? undefined : formatIp(ip.gateway),
  });
}

function routeOf({ dst, gw, mtu, advmss, priority, table, scope }: CniRoute, version: SpecVersion): JsonObject {
  const newer = specVersionAtLeast(version, '1.1.0') ? { mtu, advmss, priority, table, scope } : {};
  return object({ dst: formatInterfaceAddress(dst), gw: gw === undefined ? undefined : formatIp(gw), ...newer });
}

/** Always there, as the reference library prints it: some runtimes read it without asking. */
function dnsOf({ nameservers, domain, search, options }: CniDns): JsonObject {
  const list = (items: readonly string[]): JsonField => (items.length === 0 ? undefined : items);
  return object({ nameservers: list(nameservers), domain, search: list(search), options: list(options) });
}
