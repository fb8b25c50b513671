import { CONFIG_MAPS, EVENTS, LEASES, SERVICE_ACCOUNTS } from '@canal/store-port';

import { childOf, type Json, textOf } from '../json.ts';
import { defineResource, type ResourceDefinition } from '../resource.ts';
import { type Causes, forbiddenField, invalidValue } from '../value-rules.ts';
import type { SchemaMaker } from './builtin-schema.ts';

/** Kinds that have little to say about their values. */
export function definePlainKinds(schema: SchemaMaker): readonly ResourceDefinition[] {
  return [
    defineResource(
      SERVICE_ACCOUNTS,
      { singular: 'serviceaccount', shortNames: ['sa'] },
      { schema: schema('ServiceAccount') },
    ),
    defineResource(
      CONFIG_MAPS,
      { singular: 'configmap', shortNames: ['cm'] },
      {
        schema: schema('ConfigMap'),
        validate: configMapErrors,
        columns: [{ name: 'Data', value: (map) => String(keysOf(map).length) }],
      },
    ),
    defineResource(
      EVENTS,
      { singular: 'event', shortNames: ['ev'] },
      {
        schema: schema('Event'),
        fieldSelectors: EVENT_FIELDS,
        validate: eventErrors,
        columns: [
          { name: 'Type', value: (event) => textOf(event, 'type') },
          { name: 'Reason', value: (event) => textOf(event, 'reason') },
          { name: 'Message', value: (event) => textOf(event, 'message') },
        ],
      },
    ),
    defineResource(
      LEASES,
      { singular: 'lease' },
      {
        schema: schema('Lease'),
        unconditionalUpdate: false,
        validate: leaseErrors,
        columns: [{ name: 'Holder', value: (lease) => textOf(childOf(lease, 'spec'), 'holderIdentity') }],
      },
    ),
  ];
}

const EVENT_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'involvedObject.kind',
  'involvedObject.namespace',
  'involvedObject.name',
  'involvedObject.uid',
  'involvedObject.apiVersion',
  'involvedObject.resourceVersion',
  'involvedObject.fieldPath',
  'reason',
  'reportingComponent',
  'source',
  'type',
];

function configMapErrors(map: Json, old?: Json): Causes {
  const data = childOf(map, 'data');
  const binary = childOf(map, 'binaryData');
  const keys = keysOf(map);
  const bytes = keys.reduce((sum, key) => sum + Buffer.byteLength(String(data[key] ?? binary[key])), 0);
  const frozen =
    old?.['immutable'] === true && !Bun.deepEquals([data, binary], [childOf(old, 'data'), childOf(old, 'binaryData')]);
  return [
    ...keys.flatMap((key) =>
      CONFIG_KEY.test(key) && key !== '.' && key !== '..'
        ? []
        : [
            invalidValue(
              `data[${key}]`,
              key,
              'a valid config key must consist of alphanumeric characters, "-", "_" or "."',
            ),
          ],
    ),
    ...Object.keys(data).flatMap((key) =>
      Object.hasOwn(binary, key) ? [invalidValue(`data[${key}]`, key, 'duplicate of key present in binaryData')] : [],
    ),
    ...(bytes > MAX_CONFIG_BYTES ? [tooLong(bytes)] : []),
    ...(frozen ? [forbiddenField('data', 'field is immutable when `immutable` is set')] : []),
  ];
}

function tooLong(bytes: number): Causes[number] {
  return {
    reason: 'FieldValueTooLong',
    message: `Too long: may not be more than ${String(MAX_CONFIG_BYTES)} bytes (is ${String(bytes)})`,
  };
}

function keysOf(map: Json): readonly string[] {
  return [...Object.keys(childOf(map, 'data')), ...Object.keys(childOf(map, 'binaryData'))];
}

/** An event lies in the namespace of its object; those of cluster-scoped objects in `default`. */
function eventErrors(event: Json): Causes {
  const namespace = textOf(childOf(event, 'metadata'), 'namespace');
  const about = textOf(childOf(event, 'involvedObject'), 'namespace');
  const fits = about === '' ? ['default', 'kube-system'].includes(namespace) : about === namespace;
  return fits ? [] : [invalidValue('involvedObject.namespace', about, 'does not match event.namespace')];
}

function leaseErrors(lease: Json): Causes {
  const { leaseDurationSeconds: duration, leaseTransitions: transitions } = childOf(lease, 'spec');
  return [
    ...(typeof duration === 'number' && duration <= 0
      ? [invalidValue('spec.leaseDurationSeconds', duration, 'must be greater than 0')]
      : []),
    ...(typeof transitions === 'number' && transitions < 0
      ? [invalidValue('spec.leaseTransitions', transitions, 'must be greater than or equal to 0')]
      : []),
  ];
}

const CONFIG_KEY = /^[-._a-zA-Z0-9]{1,253}$/;
const MAX_CONFIG_BYTES = 1024 * 1024;
