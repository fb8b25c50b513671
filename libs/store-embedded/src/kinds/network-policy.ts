import { type Cidr, cidrContainsCidr, cidrOf, parseInterfaceAddress } from 'net-types';
import { NETWORK_POLICIES } from '@canal/store-port';

import type { StatusCause } from '../api-error.ts';
import { childOf, isJson, type Json, stringMap } from '../json.ts';
import { defineResource, type ResourceDefinition } from '../resource.ts';
import {
  type Causes,
  forbiddenField,
  forEachItem,
  invalidValue,
  itemsOf,
  labelSelectorErrors,
  notSupported,
  oneOf,
  portNameErrors,
  portNumberErrors,
  PROTOCOLS,
  required,
} from '../value-rules.ts';
import type { SchemaMaker } from './builtin-schema.ts';

export function defineNetworkPolicies(schema: SchemaMaker): ResourceDefinition {
  return defineResource(
    NETWORK_POLICIES,
    { singular: 'networkpolicy', shortNames: ['netpol'] },
    {
      schema: schema('NetworkPolicy', setDefaults),
      hasGeneration: true,
      validate,
      columns: [
        { name: 'Pod-Selector', value: (policy) => showSelector(childOf(childOf(policy, 'spec'), 'podSelector')) },
      ],
    },
  );
}

/** Ingress always; Egress when the policy has egress rules. Ports without protocol are TCP. */
function setDefaults(policy: Json): void {
  const spec = childOf(policy, 'spec');
  policy['spec'] = spec;
  spec['podSelector'] ??= {};
  if (itemsOf(spec['policyTypes']).length === 0) {
    spec['policyTypes'] = itemsOf(spec['egress']).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
  }
  for (const rule of [...itemsOf(spec['ingress']), ...itemsOf(spec['egress'])]) {
    for (const port of itemsOf(isJson(rule) ? rule['ports'] : undefined)) {
      if (isJson(port)) port['protocol'] ??= 'TCP';
    }
  }
}

function validate(policy: Json): Causes {
  const spec = childOf(policy, 'spec');
  const types = itemsOf(spec['policyTypes']);
  return [
    ...labelSelectorErrors(spec['podSelector'], 'spec.podSelector'),
    ...forEachItem(spec['ingress'], 'spec.ingress', (rule, field) => ruleErrors(rule, field, 'from')),
    ...forEachItem(spec['egress'], 'spec.egress', (rule, field) => ruleErrors(rule, field, 'to')),
    ...(types.length > 2 ? [invalidValue('spec.policyTypes', types, 'may not specify more than two policyTypes')] : []),
    ...types.flatMap((type, index) =>
      type === 'Ingress' || type === 'Egress'
        ? []
        : [notSupported(`spec.policyTypes[${String(index)}]`, type, ['Ingress', 'Egress'])],
    ),
  ];
}

function ruleErrors(rule: Json, field: string, peers: 'from' | 'to'): Causes {
  return [
    ...forEachItem(rule['ports'], `${field}.ports`, portErrors),
    ...forEachItem(rule[peers], `${field}.${peers}`, peerErrors),
  ];
}

function portErrors(entry: Json, field: string): Causes {
  const { port, endPort } = entry;
  const causes: StatusCause[] = [...oneOf(entry, 'protocol', field, PROTOCOLS)];
  if (typeof port === 'number') causes.push(...portNumberErrors(port, `${field}.port`));
  else if (port !== undefined) causes.push(...portNameErrors(port, `${field}.port`));
  if (endPort === undefined) return causes;
  return [...causes, ...endPortErrors(port, endPort, `${field}.endPort`)];
}

function endPortErrors(port: unknown, endPort: unknown, field: string): Causes {
  if (port === undefined) return [invalidValue(field, endPort, 'may not be specified when `port` is not specified')];
  if (typeof port === 'string') {
    return [invalidValue(field, endPort, 'may not be specified when `port` is non-numeric')];
  }
  if (Number(endPort) < Number(port)) {
    return [invalidValue(field, endPort, 'must be greater than or equal to `port`')];
  }
  return portNumberErrors(endPort, field);
}

/** A peer that names nothing would be everyone: it is refused. */
function peerErrors(peer: Json, field: string): Causes {
  const { podSelector, namespaceSelector, ipBlock } = peer;
  const selects = podSelector !== undefined || namespaceSelector !== undefined;
  if (ipBlock === undefined && !selects) return [required(field, 'must specify a peer')];
  if (ipBlock !== undefined && selects) {
    return [forbiddenField(field, 'may not specify both ipBlock and another peer')];
  }
  return [
    ...labelSelectorErrors(podSelector, `${field}.podSelector`),
    ...labelSelectorErrors(namespaceSelector, `${field}.namespaceSelector`),
    ...(isJson(ipBlock) ? ipBlockErrors(ipBlock, `${field}.ipBlock`) : []),
  ];
}

function ipBlockErrors(ipBlock: Json, field: string): Causes {
  const { cidr } = ipBlock;
  if (typeof cidr !== 'string' || cidr === '') return [required(`${field}.cidr`)];
  const block = readBlock(cidr);
  if (block === undefined) return [invalidValue(`${field}.cidr`, cidr, CIDR_TEXT)];
  return itemsOf(ipBlock['except']).flatMap((except, index) => {
    const at = `${field}.except[${String(index)}]`;
    const hole = readBlock(String(except));
    if (hole === undefined) return [invalidValue(at, except, CIDR_TEXT)];
    const inside = cidrContainsCidr(block, hole) && hole.prefixLen > block.prefixLen;
    return inside ? [] : [invalidValue(at, except, 'must be a strict subset of `cidr`')];
  });
}

/** Host bits are allowed in what users write, and mean the network. */
function readBlock(text: string): Cidr | undefined {
  const address = parseInterfaceAddress(text);
  return address.ok ? cidrOf(address.value.ip, address.value.prefixLen) : undefined;
}

function showSelector(selector: Json): string {
  const labels = Object.entries(stringMap(selector['matchLabels'])).map(([key, value]) => `${key}=${value}`);
  const expressions = itemsOf(selector['matchExpressions']).length;
  const parts = [...labels, ...(expressions === 0 ? [] : [`${String(expressions)} expression(s)`])];
  return parts.length === 0 ? '<none>' : parts.join(',');
}

const CIDR_TEXT = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';
