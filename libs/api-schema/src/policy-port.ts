/** One item of `ports`. What cannot be read allows nothing; it never becomes another protocol or all ports. */
import type { PolicyPort, PolicyProtocol } from '@canal/model';
import { err, ok, type Result } from 'net-types';
import type { FieldError } from './field-error.ts';
import { isAbsent, isJsonObject } from './json-object.ts';

export function parsePolicyPort(item: unknown, field: string): Result<PolicyPort, FieldError> {
  if (!isJsonObject(item)) return err({ field, value: item, expected: 'an object with protocol and port' });
  const protocol = readProtocol(item['protocol']);
  if (protocol === undefined) {
    return err({ field: `${field}.protocol`, value: item['protocol'], expected: 'TCP, UDP or SCTP' });
  }
  const port = readPort(item['port'], item['endPort'], field);
  return port.ok ? ok({ protocol, port: port.value }) : port;
}

/** TCP when absent; undefined for what is no protocol of ports. */
export function readProtocol(value: unknown): PolicyProtocol | undefined {
  if (isAbsent(value)) return 'TCP';
  return value === 'TCP' || value === 'UDP' || value === 'SCTP' ? value : undefined;
}

export function isPortNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65535;
}

function readPort(port: unknown, endPort: unknown, field: string): Result<PolicyPort['port'], FieldError> {
  const at = { field: `${field}.port`, value: port };
  const atEnd = { field: `${field}.endPort`, value: endPort };
  if (isAbsent(port)) return isAbsent(endPort) ? ok('all') : err({ ...atEnd, expected: 'port beside endPort' });
  if (typeof port === 'string') {
    if (!isPortName(port)) return err({ ...at, expected: PORT_NAME });
    return isAbsent(endPort) ? ok({ name: port }) : err({ ...atEnd, expected: 'no endPort beside a named port' });
  }
  if (!isPortNumber(port)) return err({ ...at, expected: 'a port within 1..65535, or the name of one' });
  if (isAbsent(endPort)) return ok({ first: port, last: port });
  if (isPortNumber(endPort) && endPort >= port) return ok({ first: port, last: endPort });
  return err({ ...atEnd, expected: `a port within ${port}..65535` });
}

const PORT_NAME = 'the name of a port (at most 15 of a-z, 0-9 and single hyphens inside, with a letter), or a number';

/** IANA_SVC_NAME (RFC 6335 §5.1), in lower case as Kubernetes asks. */
function isPortName(text: string): boolean {
  return text.length <= 15 && /^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(text) && /[a-z]/.test(text);
}
