/** Protocol and port of a question as a packet has them. */
import { PROTOCOL_NUMBER, type RulePacket, type RuleProtocol } from '@canal/rules-ast';
import { err, ipFamily, ok, type Result } from 'net-types';
import type { PolicyPod } from '@canal/model';
import type { ResolvedEnd } from './explain-ends.ts';
import type { FlowQuestion, QuestionProblem } from './explanation.ts';

const ICMP = 1;
const ICMPV6 = 58;
const PROTOCOL_MAX = 255;
const PORT_MAX = 65_535;

const NAMES: ReadonlyMap<number, string> = new Map([
  ...Object.entries(PROTOCOL_NUMBER).map(([name, number]) => [number, name] as const),
  [ICMP, 'ICMP'],
  [ICMPV6, 'ICMPv6'],
]);

/** `TCP`, `ICMPv6`, or the number of a protocol that has no name here. */
export function protocolName(protocol: number): string {
  return NAMES.get(protocol) ?? String(protocol);
}

/** The first packet of the flow. `declares`: the pod that gives port names their numbers. */
export function packetOf(
  question: FlowQuestion,
  source: ResolvedEnd,
  destination: ResolvedEnd,
  declares: PolicyPod | undefined,
): Result<RulePacket, QuestionProblem> {
  const protocol = readProtocol(question.protocol, ipFamily(destination.ip));
  if (protocol === undefined) {
    const message = `${JSON.stringify(question.protocol)}: expected TCP, UDP, SCTP, ICMP or a number within 0..${PROTOCOL_MAX}`;
    return err({ code: 'bad-request', field: 'protocol', message });
  }
  const ends = { source: source.ip, destination: destination.ip, protocol };
  const { port } = question;
  const ported = (Object.keys(PROTOCOL_NUMBER) as RuleProtocol[]).find((name) => PROTOCOL_NUMBER[name] === protocol);
  if (ported === undefined) {
    if (port === undefined) return ok(ends);
    const message = `${JSON.stringify(port)}: expected none, ${protocolName(protocol)} has no ports`;
    return err({ code: 'bad-request', field: 'port', message });
  }
  if (port === undefined) {
    return err({ code: 'bad-request', field: 'port', message: `nothing: expected a port of ${ported}` });
  }
  const number = typeof port === 'number' ? portNumber(port) : namedPort(port, ported, destination, declares);
  return number.ok ? ok({ ...ends, destinationPort: number.value }) : number;
}

function readProtocol(text: string, family: 4 | 6): number | undefined {
  switch (text.toUpperCase()) {
    case 'TCP':
      return PROTOCOL_NUMBER.TCP;
    case 'UDP':
      return PROTOCOL_NUMBER.UDP;
    case 'SCTP':
      return PROTOCOL_NUMBER.SCTP;
    case 'ICMP':
      return family === 4 ? ICMP : ICMPV6;
    case 'ICMPV6':
      return family === 6 ? ICMPV6 : undefined;
    default:
      return /^[0-9]{1,3}$/.test(text) && Number(text) <= PROTOCOL_MAX ? Number(text) : undefined;
  }
}

function portNumber(port: number): Result<number, QuestionProblem> {
  if (Number.isInteger(port) && port >= 1 && port <= PORT_MAX) return ok(port);
  return err({ code: 'bad-request', field: 'port', message: `${port}: expected a number within 1..${PORT_MAX}` });
}

function namedPort(
  name: string,
  protocol: RuleProtocol,
  destination: ResolvedEnd,
  declares: PolicyPod | undefined,
): Result<number, QuestionProblem> {
  const text = `${JSON.stringify(name)}:`;
  if (declares === undefined) {
    const message = `${text} expected a number, ${destination.name} is no pod that declares ports`;
    return err({ code: 'bad-request', field: 'port', message });
  }
  const numbers = new Set(
    declares.ports.filter((port) => port.name === name && port.protocol === protocol).map(({ port }) => port),
  );
  const [number, ...others] = numbers;
  if (number === undefined) {
    const there = declares.ports.map((port) => `${port.name} (${port.protocol} ${port.port})`).join(', ');
    const message = `${text} ${destination.name} declares no such ${protocol} port; it has ${there === '' ? 'none with a name' : there}`;
    return err({ code: 'not-found', field: 'port', message });
  }
  if (others.length > 0) {
    const message = `${text} ${destination.name} gives it to ${[...numbers].join(', ')}: expected one of these numbers`;
    return err({ code: 'bad-request', field: 'port', message });
  }
  return ok(number);
}
