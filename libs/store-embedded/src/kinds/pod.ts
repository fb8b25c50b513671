import { parseIp } from 'net-types';
import { PODS } from '@canal/store-port';

import type { StatusCause } from '../api-error.ts';
import { childOf, isJson, type Json, textOf } from '../json.ts';
import { isDnsLabel, isDnsSubdomain } from '../label-selector.ts';
import { defineResource, type ResourceDefinition } from '../resource.ts';
import {
  type Causes,
  duplicates,
  forbiddenField,
  forEachItem,
  invalidValue,
  itemsOf,
  oneOf,
  portNameErrors,
  portNumberErrors,
  PROTOCOLS,
  required,
} from '../value-rules.ts';
import type { SchemaMaker } from './builtin-schema.ts';

export function definePods(schema: SchemaMaker): ResourceDefinition {
  return defineResource(
    PODS,
    { singular: 'pod', shortNames: ['po'], categories: ['all'] },
    {
      schema: schema('Pod', setDefaults),
      statusSubresource: true,
      initialStatus: () => ({ phase: 'Pending' }),
      hasGeneration: true,
      fieldSelectors: [
        'metadata.name',
        'metadata.namespace',
        'spec.nodeName',
        'spec.restartPolicy',
        'spec.schedulerName',
        'spec.serviceAccountName',
        'spec.hostNetwork',
        'status.phase',
        'status.podIP',
        'status.nominatedNodeName',
      ],
      validate,
      columns: [
        { name: 'Status', value: (pod) => textOf(childOf(pod, 'status'), 'phase') },
        { name: 'IP', value: (pod) => textOf(childOf(pod, 'status'), 'podIP') || '<none>' },
        { name: 'Node', value: (pod) => textOf(childOf(pod, 'spec'), 'nodeName') || '<none>' },
      ],
    },
  );
}

const CONTAINER_LISTS = ['initContainers', 'containers'] as const;

function setDefaults(pod: Json): void {
  const spec = childOf(pod, 'spec');
  spec['restartPolicy'] ??= 'Always';
  spec['dnsPolicy'] ??= 'ClusterFirst';
  spec['terminationGracePeriodSeconds'] ??= 30;
  spec['schedulerName'] ??= 'default-scheduler';
  spec['serviceAccountName'] ??= 'default';
  spec['enableServiceLinks'] ??= true;
  spec['securityContext'] ??= {};
  for (const container of CONTAINER_LISTS.flatMap((list) => itemsOf(spec[list]))) {
    for (const port of itemsOf(isJson(container) ? container['ports'] : undefined)) {
      if (isJson(port)) port['protocol'] ??= 'TCP';
    }
  }
  const status = pod['status'];
  if (isJson(status)) setAddressDefaults(status);
}

/** `podIP` is the first of `podIPs`, `hostIP` the first of `hostIPs`: whichever is given fills the other. */
function setAddressDefaults(status: Json): void {
  for (const [one, many] of [
    ['podIP', 'podIPs'],
    ['hostIP', 'hostIPs'],
  ] as const) {
    const [first] = itemsOf(status[many]);
    if (first !== undefined) status[one] ??= textOf(first, 'ip');
    else if (textOf(status, one) !== '') status[many] = [{ ip: status[one] }];
  }
}

function validate(pod: Json, old?: Json): Causes {
  const spec = childOf(pod, 'spec');
  const status = childOf(pod, 'status');
  const containers = itemsOf(spec['containers']);
  const nodeName = textOf(spec, 'nodeName');
  return [
    ...(containers.length === 0 ? [required('spec.containers')] : []),
    ...CONTAINER_LISTS.flatMap((list) => forEachItem(spec[list], `spec.${list}`, containerErrors)),
    ...duplicates(
      CONTAINER_LISTS.flatMap((list) => itemsOf(spec[list])).map((container) => textOf(container, 'name')),
      () => 'spec.containers.name',
    ),
    ...oneOf(spec, 'restartPolicy', 'spec', ['Always', 'OnFailure', 'Never']),
    ...(nodeName === '' || isDnsSubdomain(nodeName)
      ? []
      : [invalidValue('spec.nodeName', nodeName, 'must be a node name')]),
    ...oneOf(status, 'phase', 'status', ['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown']),
    ...forEachItem(status['podIPs'], 'status.podIPs', (entry, field) =>
      parseIp(textOf(entry, 'ip')).ok ? [] : [invalidValue(`${field}.ip`, entry['ip'], 'must be a valid IP address')],
    ),
    ...(old === undefined ? [] : changeErrors(spec, childOf(old, 'spec'))),
  ];
}

function containerErrors(container: Json, field: string): Causes {
  const name = textOf(container, 'name');
  const causes: StatusCause[] = [];
  if (name === '') causes.push(required(`${field}.name`));
  else if (!isDnsLabel(name)) causes.push(invalidValue(`${field}.name`, name, 'must be a lowercase RFC 1123 label'));
  if (textOf(container, 'image').trim() === '') causes.push(required(`${field}.image`));
  const portNames = itemsOf(container['ports']).map((port) => textOf(port, 'name'));
  return [
    ...causes,
    ...forEachItem(container['ports'], `${field}.ports`, portErrors),
    ...duplicates(portNames, (index) => `${field}.ports[${String(index)}].name`),
  ];
}

function portErrors(port: Json, field: string): Causes {
  const { name, containerPort, hostPort } = port;
  return [
    ...(name === undefined || name === '' ? [] : portNameErrors(name, `${field}.name`)),
    ...(containerPort === undefined
      ? [required(`${field}.containerPort`)]
      : portNumberErrors(containerPort, `${field}.containerPort`)),
    ...(hostPort === undefined || hostPort === 0 ? [] : portNumberErrors(hostPort, `${field}.hostPort`)),
    ...oneOf(port, 'protocol', field, PROTOCOLS),
  ];
}

/** What of a pod may change after its creation. */
function changeErrors(spec: Json, oldSpec: Json): Causes {
  if (Bun.deepEquals(fixedPart(spec), fixedPart(oldSpec))) return [];
  return [
    forbiddenField(
      'spec',
      'pod updates may not change fields other than `spec.containers[*].image`, `spec.initContainers[*].image`, ' +
        '`spec.activeDeadlineSeconds`, `spec.tolerations` (only additions to existing tolerations), ' +
        '`spec.terminationGracePeriodSeconds`',
    ),
  ];
}

function fixedPart(spec: Json): Json {
  const { activeDeadlineSeconds: _, tolerations: __, terminationGracePeriodSeconds: ___, ...rest } = spec;
  for (const list of CONTAINER_LISTS) {
    if (Array.isArray(rest[list])) {
      rest[list] = rest[list].map((container: unknown) =>
        isJson(container) ? { ...container, image: '' } : container,
      );
    }
  }
  return rest;
}
