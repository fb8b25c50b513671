import { parseIp } from 'net-types';
import { SERVICES } from '@canal/store-port';

import { childOf, isJson, type Json, textOf } from '../json.ts';
import { isDnsLabel } from '../label-selector.ts';
import { defineResource, type ResourceDefinition } from '../resource.ts';
import {
  type Causes,
  duplicates,
  forEachItem,
  invalidValue,
  itemsOf,
  labelErrors,
  oneOf,
  portNameErrors,
  portNumberErrors,
  PROTOCOLS,
  required,
} from '../value-rules.ts';
import type { SchemaMaker } from './builtin-schema.ts';

/** Services are stored and served; no cluster address is allocated, since nothing here would answer to it. */
export function defineServices(schema: SchemaMaker): ResourceDefinition {
  return defineResource(
    SERVICES,
    { singular: 'service', shortNames: ['svc'], categories: ['all'] },
    {
      schema: schema('Service', setDefaults),
      statusSubresource: true,
      initialStatus: () => ({ loadBalancer: {} }),
      fieldSelectors: ['metadata.name', 'metadata.namespace', 'spec.clusterIP', 'spec.type'],
      // RFC 1035: the name becomes a DNS label that must start with a letter.
      validName: (name) => isDnsLabel(name) && /^[a-z]/.test(name),
      validate,
      columns: [
        { name: 'Type', value: (service) => textOf(childOf(service, 'spec'), 'type') },
        { name: 'Cluster-IP', value: (service) => textOf(childOf(service, 'spec'), 'clusterIP') || '<none>' },
      ],
    },
  );
}

function setDefaults(service: Json): void {
  const spec = childOf(service, 'spec');
  service['spec'] = spec;
  spec['type'] ??= 'ClusterIP';
  spec['sessionAffinity'] ??= 'None';
  for (const port of itemsOf(spec['ports'])) {
    if (!isJson(port)) continue;
    port['protocol'] ??= 'TCP';
    port['targetPort'] ??= port['port'];
  }
  const [first] = itemsOf(spec['clusterIPs']);
  if (first !== undefined) spec['clusterIP'] ??= first;
  else if (textOf(spec, 'clusterIP') !== '') spec['clusterIPs'] = [spec['clusterIP']];
}

function validate(service: Json): Causes {
  const spec = childOf(service, 'spec');
  const ports = itemsOf(spec['ports']);
  const needsPorts = textOf(spec, 'type') !== 'ExternalName' && textOf(spec, 'clusterIP') !== 'None';
  return [
    ...oneOf(spec, 'type', 'spec', ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']),
    ...oneOf(spec, 'sessionAffinity', 'spec', ['ClientIP', 'None']),
    ...labelErrors(spec['selector'], 'spec.selector'),
    ...(needsPorts && ports.length === 0 ? [required('spec.ports')] : []),
    ...forEachItem(ports, 'spec.ports', (port, field) => portErrors(port, field, ports.length > 1)),
    ...duplicates(
      ports.map((port) => textOf(port, 'name')),
      (index) => `spec.ports[${String(index)}].name`,
    ),
    ...itemsOf(spec['clusterIPs']).flatMap((ip, index) =>
      ip === 'None' || parseIp(String(ip)).ok
        ? []
        : [invalidValue(`spec.clusterIPs[${String(index)}]`, ip, 'must be empty, "None" or a valid IP address')],
    ),
  ];
}

function portErrors(port: Json, field: string, needsName: boolean): Causes {
  const { targetPort } = port;
  const name = textOf(port, 'name');
  return [
    ...(needsName && name === '' ? [required(`${field}.name`)] : []),
    ...(name === '' || isDnsLabel(name)
      ? []
      : [invalidValue(`${field}.name`, name, 'must be a lowercase RFC 1123 label')]),
    ...portNumberErrors(port['port'], `${field}.port`),
    ...oneOf(port, 'protocol', field, PROTOCOLS),
    ...(typeof targetPort === 'string'
      ? portNameErrors(targetPort, `${field}.targetPort`)
      : portNumberErrors(targetPort, `${field}.targetPort`)),
  ];
}
