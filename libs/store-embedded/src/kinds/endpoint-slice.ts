import { ipFamily, parseIp } from 'net-types';
import { ENDPOINT_SLICES } from '@canal/store-port';

import { isJson, type Json, textOf } from '../json.ts';
import { isDnsSubdomain } from '../label-selector.ts';
import { defineResource, type ResourceDefinition } from '../resource.ts';
import {
  type Causes,
  forEachItem,
  invalidValue,
  itemsOf,
  notSupported,
  oneOf,
  portNumberErrors,
  PROTOCOLS,
  required,
} from '../value-rules.ts';
import type { SchemaMaker } from './builtin-schema.ts';

export function defineEndpointSlices(schema: SchemaMaker): ResourceDefinition {
  return defineResource(
    ENDPOINT_SLICES,
    { singular: 'endpointslice' },
    {
      schema: schema('EndpointSlice', setDefaults),
      hasGeneration: true,
      validate,
      columns: [{ name: 'AddressType', value: (slice) => textOf(slice, 'addressType') }],
    },
  );
}

function setDefaults(slice: Json): void {
  for (const port of itemsOf(slice['ports'])) {
    if (!isJson(port)) continue;
    port['protocol'] ??= 'TCP';
    port['name'] ??= '';
  }
}

function validate(slice: Json, old?: Json): Causes {
  const type = textOf(slice, 'addressType');
  const oldType = old === undefined ? type : textOf(old, 'addressType');
  return [
    ...(type === '' ? [required('addressType')] : []),
    ...(type !== '' && !TYPES.includes(type) ? [notSupported('addressType', type, TYPES)] : []),
    ...(type === oldType ? [] : [invalidValue('addressType', type, 'field is immutable')]),
    ...forEachItem(slice['endpoints'], 'endpoints', (endpoint, field) => endpointErrors(endpoint, field, type)),
    ...forEachItem(slice['ports'], 'ports', (port, field) => [
      ...oneOf(port, 'protocol', field, PROTOCOLS),
      ...(port['port'] === undefined ? [] : portNumberErrors(port['port'], `${field}.port`)),
    ]),
  ];
}

function endpointErrors(endpoint: Json, field: string, type: string): Causes {
  const addresses = itemsOf(endpoint['addresses']);
  if (addresses.length === 0) return [required(`${field}.addresses`, 'must contain at least 1 address')];
  if (addresses.length > 100)
    return [invalidValue(`${field}.addresses`, addresses.length, 'must have at most 100 items')];
  return addresses.flatMap((address, index) =>
    hasType(String(address), type)
      ? []
      : [invalidValue(`${field}.addresses[${String(index)}]`, address, `must be of type ${type}`)],
  );
}

function hasType(address: string, type: string): boolean {
  if (type === 'FQDN') return isDnsSubdomain(address);
  const ip = parseIp(address);
  return ip.ok && ipFamily(ip.value) === (type === 'IPv4' ? 4 : 6);
}

const TYPES = ['FQDN', 'IPv4', 'IPv6'];
