/** What the runtime asks for this pod, beyond what the configuration says of all: addresses and a MAC. */
import { CNI_ERROR, parseRequestedIp } from '@canal/cni-spec';
import { describeParseError, type Ip, isUnicastMac, type Mac, parseMac } from 'net-types';
import { PluginError } from './plugin-error.ts';
import type { AttachedRequest } from './request.ts';

/** From the configuration, else from CNI_ARGS IP (a comma list, one of each family). Code 4 when that is no address. */
export function requestedIps({ network, args }: AttachedRequest): readonly Ip[] {
  if (network.requestedIps.length > 0) return network.requestedIps.map(({ ip }) => ip);
  const text = args.get('IP') ?? '';
  if (text === '') return [];
  return text.split(',').map((part) => {
    const address = parseRequestedIp(part.trim());
    if (address.ok) return address.value.ip;
    const message = `invalid environment: CNI_ARGS: IP=${describeParseError(address.error)}`;
    throw new PluginError(CNI_ERROR.invalidEnvironment, message);
  });
}

/** From the configuration (code 7 when it can be no interface's own), else from CNI_ARGS MAC (code 4). */
export function requestedMac({ network, args }: AttachedRequest): Mac | undefined {
  const asked = network.requestedMac;
  if (asked !== undefined) {
    if (isUnicastMac(asked)) return asked;
    throw new PluginError(
      CNI_ERROR.invalidConfig,
      `mac: "${asked}": expected the address of one interface, not of a group`,
    );
  }
  const text = args.get('MAC') ?? '';
  if (text === '') return undefined;
  const mac = parseMac(text);
  if (mac.ok && isUnicastMac(mac.value)) return mac.value;
  const problem = mac.ok ? `"${mac.value}" is the address of a group` : describeParseError(mac.error);
  throw new PluginError(CNI_ERROR.invalidEnvironment, `invalid environment: CNI_ARGS: MAC=${problem}`);
}
