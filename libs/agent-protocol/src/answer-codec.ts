/** Answers as lines, and the values of those that the plugin and the node agent read. */
import { Fields, type JsonValue, parseJson, readFields } from '@canal/cni-spec';
import { err, type Result } from 'net-types';
import type { AgentStatusMessage, EndpointAdded, StreamStatusMessage } from './answers.ts';
import type { AgentAnswer } from './messages.ts';

/** With its line feed. The value must be what JSON can hold. */
export function encodeAnswer(answer: AgentAnswer): string {
  return `${JSON.stringify(answer)}\n`;
}

/** The error names field, value and what was expected. `value` is as it came: the readers below look into it. */
export function decodeAnswer(line: string): Result<AgentAnswer, string> {
  const json = parseJson(line);
  if (!json.ok) return err(`answer: not JSON: ${json.error}`);
  return readFields(() => readAnswer(json.value));
}

function readAnswer(answer: JsonValue): AgentAnswer {
  const fields = Fields.of(answer, 'answer');
  if (boolean(fields, 'ok')) return { ok: true, value: (answer as { readonly value?: JsonValue }).value };
  const code = fields.string('code');
  const message = fields.string('message');
  switch (code) {
    case 'bad-request':
    case 'not-found':
    case 'not-ready':
    case 'kernel':
    case 'internal':
      return { ok: false, code, message };
    default:
      // Of a newer agent: whoever asked can do no more with it than with this.
      return { ok: false, code: 'internal', message: `${code}: ${message}` };
  }
}

/** `value` of the answer to add-endpoint. */
export function readEndpointAdded(value: unknown): Result<EndpointAdded, string> {
  return readFields(() => {
    const fields = Fields.of(value as JsonValue, 'answer.value');
    const state = fields.string('state');
    if (state !== 'policed' && state !== 'isolated') return fields.fail('state', '"policed" or "isolated"');
    const reason = fields.optionalString('reason');
    return { state, ...(reason !== undefined && { reason }) };
  });
}

/** `value` of the answer to status. */
export function readAgentStatus(value: unknown): Result<AgentStatusMessage, string> {
  return readFields(() => {
    const fields = Fields.of(value as JsonValue, 'answer.value');
    const lastSync = fields.optionalString('lastSync');
    return {
      version: fields.string('version'),
      node: fields.string('node'),
      ready: boolean(fields, 'ready'),
      notes: fields.strings('notes'),
      strict: boolean(fields, 'strict'),
      streams: fields.objects('streams').map(readStream),
      ...(lastSync !== undefined && { lastSync }),
      counts: readCounts(fields.optionalObject('counts') ?? fields.fail('counts', 'a JSON object')),
    };
  });
}

function readStream(fields: Fields): StreamStatusMessage {
  const error = fields.optionalString('error');
  return {
    kind: fields.string('kind'),
    inSync: boolean(fields, 'inSync'),
    connected: boolean(fields, 'connected'),
    objects: count(fields, 'objects'),
    ...(error !== undefined && { error }),
  };
}

function readCounts(fields: Fields): AgentStatusMessage['counts'] {
  return {
    endpoints: count(fields, 'endpoints'),
    isolated: count(fields, 'isolated'),
    policies: count(fields, 'policies'),
    chains: count(fields, 'chains'),
    sets: count(fields, 'sets'),
    members: count(fields, 'members'),
  };
}

function boolean(fields: Fields, key: string): boolean {
  return fields.optionalBoolean(key) ?? fields.fail(key, 'true or false');
}

function count(fields: Fields, key: string): number {
  return fields.optionalInteger(key, 0, Number.MAX_SAFE_INTEGER) ?? fields.fail(key, 'a number of things');
}
