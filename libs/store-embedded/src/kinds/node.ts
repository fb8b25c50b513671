import { cidrFamily, parseCidr } from 'net-types';
import { NODES } from '@canal/store-port';

import { childOf, isJson, type Json, textOf } from '../json.ts';
import { isLabelKey, isLabelValue } from '../label-selector.ts';
import { defineResource, type ResourceDefinition } from '../resource.ts';
import {
  type Causes,
  duplicates,
  forbiddenField,
  forEachItem,
  invalidValue,
  itemsOf,
  oneOf,
  required,
} from '../value-rules.ts';
import type { SchemaMaker } from './builtin-schema.ts';

export function defineNodes(schema: SchemaMaker): ResourceDefinition {
  return defineResource(
    NODES,
    { singular: 'node', shortNames: ['no'] },
    {
      schema: schema('Node', setDefaults),
      statusSubresource: true,
      // A kubelet registers its node with the status in it.
      initialStatus: (object) => object['status'] ?? {},
      fieldSelectors: ['metadata.name', 'spec.unschedulable'],
      validate,
      columns: [
        { name: 'Status', value: readiness },
        { name: 'Pod CIDRs', value: (node) => itemsOf(childOf(node, 'spec')['podCIDRs']).join(',') },
        { name: 'Internal IP', value: internalAddress },
      ],
    },
  );
}

/** `podCIDR` is the older name of the first of `podCIDRs`: whichever is given fills the other. */
function setDefaults(node: Json): void {
  const spec = childOf(node, 'spec');
  node['spec'] = spec;
  const [first] = itemsOf(spec['podCIDRs']);
  if (first !== undefined) spec['podCIDR'] ??= first;
  else if (textOf(spec, 'podCIDR') !== '') spec['podCIDRs'] = [spec['podCIDR']];
}

function validate(node: Json, old?: Json): Causes {
  const spec = childOf(node, 'spec');
  return [
    ...podCidrErrors(spec),
    ...(old === undefined ? [] : changeErrors(spec, childOf(old, 'spec'))),
    ...forEachItem(spec['taints'], 'spec.taints', taintErrors),
    ...forEachItem(childOf(node, 'status')['addresses'], 'status.addresses', (address, field) =>
      textOf(address, 'type') === '' ? [required(`${field}.type`)] : [],
    ),
    ...forEachItem(childOf(node, 'status')['conditions'], 'status.conditions', (condition, field) => [
      ...(textOf(condition, 'type') === '' ? [required(`${field}.type`)] : []),
      ...oneOf(condition, 'status', field, ['True', 'False', 'Unknown']),
    ]),
  ];
}

function podCidrErrors(spec: Json): Causes {
  const cidrs = itemsOf(spec['podCIDRs']);
  const parsed = cidrs.map((cidr) => parseCidr(String(cidr)));
  const causes = parsed.flatMap((cidr, index) =>
    cidr.ok ? [] : [invalidValue(`spec.podCIDRs[${String(index)}]`, cidrs[index], 'must be a valid CIDR value')],
  );
  if (cidrs.length > 2)
    return [...causes, invalidValue('spec.podCIDRs', cidrs, 'may specify no more than one CIDR for each IP family')];
  const families = parsed.flatMap((cidr) => (cidr.ok ? [cidrFamily(cidr.value)] : []));
  const mixed = duplicates(families, () => 'spec.podCIDRs').map(() =>
    invalidValue('spec.podCIDRs', cidrs, 'may specify no more than one CIDR for each IP family'),
  );
  const agree = cidrs.length === 0 || spec['podCIDR'] === cidrs[0];
  return [
    ...causes,
    ...mixed,
    ...(agree ? [] : [invalidValue('spec.podCIDR', spec['podCIDR'], 'must equal spec.podCIDRs[0]')]),
  ];
}

/** A subnet, once given, is the node's for its life; so is the provider's name for it. */
function changeErrors(spec: Json, oldSpec: Json): Causes {
  const oldCidrs = itemsOf(oldSpec['podCIDRs']);
  const moved = oldCidrs.length > 0 && !Bun.deepEquals(itemsOf(spec['podCIDRs']), oldCidrs);
  const oldProvider = textOf(oldSpec, 'providerID');
  const renamed = oldProvider !== '' && textOf(spec, 'providerID') !== oldProvider;
  return [
    ...(moved ? [forbiddenField('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid')] : []),
    ...(renamed
      ? [forbiddenField('spec.providerID', 'node updates may not change providerID except from "" to valid')]
      : []),
  ];
}

function taintErrors(taint: Json, field: string): Causes {
  const key = textOf(taint, 'key');
  return [
    ...(isLabelKey(key) ? [] : [invalidValue(`${field}.key`, key, 'must be a label key')]),
    ...(isLabelValue(textOf(taint, 'value'))
      ? []
      : [invalidValue(`${field}.value`, taint['value'], 'must be a label value')]),
    ...oneOf({ effect: '', ...taint }, 'effect', field, ['NoSchedule', 'PreferNoSchedule', 'NoExecute']),
  ];
}

function readiness(node: Json): string {
  const ready = itemsOf(childOf(node, 'status')['conditions']).find(
    (condition) => textOf(condition, 'type') === 'Ready',
  );
  if (!isJson(ready)) return 'Unknown';
  return ready['status'] === 'True' ? 'Ready' : 'NotReady';
}

function internalAddress(node: Json): string {
  const addresses = itemsOf(childOf(node, 'status')['addresses']);
  const internal = addresses.filter((address) => textOf(address, 'type') === 'InternalIP');
  return internal.map((address) => textOf(address, 'address')).join(',') || '<none>';
}
