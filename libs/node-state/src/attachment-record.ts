/** The JSON of an attachment record: what one ADD made, for DEL, GC and the node agent's repairs. */
import type { Attachment } from '@canal/model';
import {
  describeParseError,
  err,
  formatInterfaceAddress,
  formatIp,
  ok,
  type ParseError,
  parseInterfaceAddress,
  parseInterfaceName,
  parseIp,
  parseMac,
  type Result,
} from 'net-types';

export function formatAttachment(attachment: Attachment): string {
  return `${JSON.stringify({
    ...attachment,
    addresses: attachment.addresses.map(formatInterfaceAddress),
    gateways: attachment.gateways.map(formatIp),
  })}\n`;
}

/** The text of a record; the error names the key, so that a person can judge the file. */
export function parseAttachment(text: string): Result<Attachment, string> {
  try {
    return ok(readAttachment(text));
  } catch (error) {
    if (error instanceof RecordProblem) return err(error.message);
    throw error;
  }
}

/** Ends the reading at the first bad key; never leaves this file. */
class RecordProblem extends Error {}

function readAttachment(text: string): Attachment {
  const record = parseObject(text);
  const mode = readString(record, 'mode');
  if (mode !== 'routed' && mode !== 'bridge') {
    throw new RecordProblem(`mode: ${JSON.stringify(mode)} is neither "routed" nor "bridge"`);
  }
  const pod = record['pod'] === undefined ? undefined : readPod(record['pod']);
  return {
    network: readString(record, 'network'),
    containerId: readString(record, 'containerId'),
    containerInterface: readParsed(record, 'containerInterface', parseInterfaceName),
    netns: readString(record, 'netns'),
    mode,
    hostInterface: readParsed(record, 'hostInterface', parseInterfaceName),
    hostMac: readParsed(record, 'hostMac', parseMac),
    containerMac: readParsed(record, 'containerMac', parseMac),
    addresses: readList(record, 'addresses', parseInterfaceAddress),
    gateways: readList(record, 'gateways', parseIp),
    mtuBytes: readMtu(record),
    bootId: readString(record, 'bootId'),
    ...(pod !== undefined && { pod }),
  };
}

type JsonRecord = Readonly<Record<string, unknown>>;

function parseObject(text: string): JsonRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new RecordProblem(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  return asObject(value, 'the record');
}

function asObject(value: unknown, what: string): JsonRecord {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw new RecordProblem(`${what}: expected a JSON object`);
}

function readString(record: JsonRecord, key: string): string {
  const value = record[key];
  if (typeof value === 'string') return value;
  throw new RecordProblem(`${key}: expected a string, found ${typeof value}`);
}

function readParsed<T>(record: JsonRecord, key: string, parse: (text: string) => Result<T, ParseError>): T {
  return unwrapNamed(key, parse(readString(record, key)));
}

function readList<T>(record: JsonRecord, key: string, parse: (text: string) => Result<T, ParseError>): T[] {
  const value = record[key];
  if (!Array.isArray(value)) throw new RecordProblem(`${key}: expected a list`);
  return value.map((item: unknown, index) => {
    if (typeof item === 'string') return unwrapNamed(`${key}[${index}]`, parse(item));
    throw new RecordProblem(`${key}[${index}]: expected a string, found ${typeof item}`);
  });
}

function unwrapNamed<T>(key: string, result: Result<T, ParseError>): T {
  if (result.ok) return result.value;
  throw new RecordProblem(`${key}: ${describeParseError(result.error)}`);
}

function readMtu(record: JsonRecord): number {
  const value = record['mtuBytes'];
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 65_535) return value;
  throw new RecordProblem(`mtuBytes: expected a number of bytes within 1..65535`);
}

function readPod(value: unknown): NonNullable<Attachment['pod']> {
  const pod = asObject(value, 'pod');
  return { namespace: readString(pod, 'namespace'), name: readString(pod, 'name'), uid: readString(pod, 'uid') };
}
