/**
 * Requests as lines. What is decoded has been looked at field by field: ids, interfaces and addresses parse. Fields that
 * are not known are passed over, because plugin and agent are never updated at the same moment.
 */
import { Fields, isJsonObject, type JsonValue, parseContainerId, parseJson, readFields } from '@canal/cni-spec';
import { err, formatIp, isUnicastMac, parseInterfaceName, parseIp, parseMac, type Result } from 'net-types';
import type { AgentRequest, EndpointMessage, QuestionMessage } from './messages.ts';
import type { NodeRequest } from './node-messages.ts';

/** With its line feed. */
export function encodeRequest(request: AgentRequest | NodeRequest): string {
  return `${JSON.stringify(request)}\n`;
}

/** The error names field, value and what was expected. */
export function decodeRequest(line: string): Result<AgentRequest, string> {
  const json = parseJson(line);
  if (!json.ok) return err(`request: not JSON: ${json.error}`);
  return readFields(() => readRequest(json.value));
}

function readRequest(value: JsonValue): AgentRequest {
  const fields = Fields.of(value, 'request');
  const op = fields.string('op');
  switch (op) {
    case 'add-endpoint':
      return { op, endpoint: readEndpoint(required(fields, 'endpoint')) };
    case 'delete-endpoint':
      return { op, key: readKey(fields) };
    case 'status':
    case 'endpoints':
    case 'policies':
    case 'counters':
      return { op };
    case 'explain':
      return { op, question: readQuestion(required(fields, 'question'), value) };
    case 'flows':
      return {
        op,
        follow: fields.optionalBoolean('follow') ?? false,
        last: fields.optionalInteger('last', 0, Number.MAX_SAFE_INTEGER) ?? 0,
        denied: fields.optionalBoolean('denied') ?? false,
      };
    default:
      return fields.fail('op', OPS);
  }
}

const OPS = 'add-endpoint, delete-endpoint, status, endpoints, policies, counters, explain or flows';

function required(fields: Fields, key: string): Fields {
  return fields.optionalObject(key) ?? fields.fail(key, 'a JSON object');
}

function readEndpoint(fields: Fields): EndpointMessage {
  const mode = fields.string('mode');
  if (mode !== 'routed' && mode !== 'bridge') return fields.fail('mode', '"routed" or "bridge"');
  const addresses = fields.parsedStrings('addresses', parseIp).map(formatIp);
  if (addresses.length === 0) fields.fail('addresses', 'one address or more');
  const mac = fields.parsed('mac', parseMac);
  if (!isUnicastMac(mac)) fields.fail('mac', 'an address that one interface can have');
  const pod = fields.optionalObject('pod');
  return {
    containerId: fields.parsed('containerId', parseContainerId),
    containerInterface: fields.parsed('containerInterface', parseInterfaceName),
    hostInterface: fields.parsed('hostInterface', parseInterfaceName),
    mode,
    addresses,
    mac,
    ...(pod && { pod: { namespace: pod.string('namespace'), name: pod.string('name'), uid: pod.string('uid') } }),
  };
}

/** Of an endpoint, unique on a node; neither part can hold a slash. */
export function endpointKey(endpoint: { readonly containerId: string; readonly containerInterface: string }): string {
  return `${endpoint.containerId}/${endpoint.containerInterface}`;
}

function readKey(fields: Fields): string {
  const key = fields.string('key');
  const [containerId = '', containerInterface = '', ...rest] = key.split('/');
  const isKey = rest.length === 0 && parseContainerId(containerId).ok && parseInterfaceName(containerInterface).ok;
  return isKey ? key : fields.fail('key', '<container id>/<interface in the pod>');
}

const PORT_MAX = 65_535;

function readQuestion(fields: Fields, request: JsonValue): QuestionMessage {
  const raw = isJsonObject(request) ? request['question'] : undefined;
  const isName = isJsonObject(raw) && typeof raw['port'] === 'string';
  const port = isName ? fields.string('port') : fields.optionalInteger('port', 0, PORT_MAX);
  return {
    source: fields.string('source'),
    destination: fields.string('destination'),
    protocol: fields.string('protocol'),
    ...(port !== undefined && { port }),
  };
}
