/** Answers of the agent as values. Errors name field and value: the agent is of another version then. */
import type { Endpoint } from '@canal/admin-client';
import type { FlowEndMessage, FlowRecord } from '@canal/agent-protocol';
import { Fields, type JsonValue, readFields } from '@canal/cni-spec';
import type { EndVerdict, Explanation, FlowEnd, RuleMiss, RuleReference } from '@canal/policy-compile';
import { PolicyAgentError } from './agent-error.ts';

const INTEGER_MAX = Number.MAX_SAFE_INTEGER;
const PORT_MAX = 65_535;

export function readExplanation(value: unknown): Explanation {
  return read(value, (fields) => {
    const port = fields.optionalInteger('port', 0, PORT_MAX);
    const [egress, ingress] = [fields.optionalObject('egress'), fields.optionalObject('ingress')];
    return {
      verdict: verdictOf(fields),
      source: endOf(required(fields, 'source')),
      destination: endOf(required(fields, 'destination')),
      protocol: fields.string('protocol'),
      ...(port !== undefined && { port }),
      ...(egress && { egress: endVerdictOf(egress) }),
      ...(ingress && { ingress: endVerdictOf(ingress) }),
      words: fields.strings('words'),
    };
  });
}

/** As the admin API tells them, but for the node, which is the agent's own. */
export function readEndpointStatuses(value: unknown): Omit<Endpoint, 'node'>[] {
  // A list has no fields: it is read as one of an object.
  return read({ endpoints: value }, (answer) =>
    answer.objects('endpoints').map((fields) => {
      const pod = fields.optionalObject('pod');
      return {
        interface: fields.string('hostInterface'),
        addresses: fields.strings('addresses'),
        ...(pod && { pod: podOf(pod) }),
        state: fields.string('state') as Endpoint['state'],
        ingress: fields.strings('ingress'),
        egress: fields.strings('egress'),
      };
    }),
  );
}

export function readFlowRecord(value: unknown): FlowRecord {
  return read(value, (fields) => {
    const direction = fields.optionalString('direction');
    const rule = fields.optionalObject('rule');
    return {
      time: fields.string('time'),
      verdict: verdictOf(fields),
      reason: fields.string('reason'),
      ...(direction !== undefined && { direction: direction as NonNullable<FlowRecord['direction']> }),
      source: flowEndOf(required(fields, 'source')),
      destination: flowEndOf(required(fields, 'destination')),
      protocol: fields.string('protocol'),
      ...(rule && { rule: ruleOf(rule) }),
      ...(fields.has('isolatedBy') && { isolatedBy: fields.strings('isolatedBy') }),
      lost: fields.optionalInteger('lost', 0, INTEGER_MAX) ?? 0,
    };
  });
}

function read<T>(value: unknown, reader: (fields: Fields) => T): T {
  const result = readFields(() => reader(Fields.of(value as JsonValue, 'answer.value')));
  if (result.ok) return result.value;
  throw new PolicyAgentError('broken', result.error);
}

function required(fields: Fields, key: string): Fields {
  return fields.optionalObject(key) ?? fields.fail(key, 'a JSON object');
}

function verdictOf(fields: Fields): 'allow' | 'deny' {
  const verdict = fields.string('verdict');
  return verdict === 'allow' || verdict === 'deny' ? verdict : fields.fail('verdict', '"allow" or "deny"');
}

function podOf(fields: Fields): { namespace: string; name: string } {
  return { namespace: fields.string('namespace'), name: fields.string('name') };
}

function endOf(fields: Fields): FlowEnd {
  const pod = fields.optionalObject('pod');
  const kind = fields.string('kind') as FlowEnd['kind'];
  return { address: fields.string('address'), ...(pod && { pod: podOf(pod) }), kind };
}

function flowEndOf(fields: Fields): FlowEndMessage {
  const pod = fields.optionalObject('pod');
  const port = fields.optionalInteger('port', 0, PORT_MAX);
  return { address: fields.string('address'), ...(port !== undefined && { port }), ...(pod && { pod: podOf(pod) }) };
}

function endVerdictOf(fields: Fields): EndVerdict {
  const rule = fields.optionalObject('rule');
  return {
    direction: fields.string('direction') as EndVerdict['direction'],
    verdict: verdictOf(fields),
    reason: fields.string('reason') as EndVerdict['reason'],
    policies: fields.strings('policies'),
    ...(rule && { rule: ruleOf(rule) }),
    misses: fields
      .objects('misses')
      .map((miss) => ({ ...ruleOf(miss), missed: miss.string('missed') as RuleMiss['missed'] })),
  };
}

function ruleOf(fields: Fields): RuleReference {
  return {
    policy: fields.string('policy'),
    index: fields.optionalInteger('index', 0, INTEGER_MAX) ?? fields.fail('index', 'a number'),
  };
}
