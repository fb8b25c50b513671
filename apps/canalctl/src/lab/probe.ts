import { type Lab, LabError, podKey, probeFlow } from '@canal/lab';
import { formatIp, type Ip, ipFamily, parseIp, parsePort } from 'net-types';
import { type CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import { printableLine, safeJson } from '../printable.ts';
import { UsageError } from '../report-error.ts';
import { type LabFlags, onOpenLab, type OutputFlags } from './lab-flags.ts';
import { readPodName } from './pods.ts';

export interface ProbeFlags extends LabFlags, OutputFlags {
  readonly udp?: true;
}

/** Denied packets are dropped, so a probe waits for nothing; an answer takes a millisecond. */
const TIMEOUT_MS = 1000;

/** Whoever can be at an end: a pod, a node, or the world outside. */
interface ProbeEnd {
  readonly name: string;
  readonly netns: string;
  readonly ips: readonly Ip[];
}

export async function runProbe(
  context: CommandContext,
  from: string,
  target: string,
  flags: ProbeFlags,
): Promise<void> {
  const { terminal, outcome } = context;
  const { end, port } = readTarget(target);
  const protocol = flags.udp === true ? 'udp' : 'tcp';
  const { client, server, to, result } = await onOpenLab(context, flags, async (lab) => {
    const [client, server] = [findEnd(lab, from), findEnd(lab, end)];
    const to = server.ips.find((ip) => client.ips.some((own) => ipFamily(own) === ipFamily(ip)));
    if (to === undefined)
      throw new LabError('invalid', `${client.name} and ${server.name} have no address of one family`);
    const flow = { protocol, client: client.netns, server: server.netns, to, port, timeoutMs: TIMEOUT_MS } as const;
    return { client, server, to, result: await probeFlow(flow) };
  });
  if (!result.ok) outcome.exitCode = EXIT.unhealthy;
  if (flags.output === 'json') {
    const ends = { from: client.name, to: server.name, address: formatIp(to), protocol, port };
    const json = result.ok
      ? { ...ends, answered: true, seenSource: formatIp(result.seenSource), tookMs: result.tookMs }
      : { ...ends, answered: false, reason: result.reason };
    terminal.out(`${safeJson(json)}\n`);
    return;
  }
  const why = !result.ok && result.reason !== 'timeout' ? ` (${printableLine(result.reason)})` : '';
  const answer = result.ok ? 'answered' : `no answer within ${TIMEOUT_MS / 1000} s${why}`;
  terminal.out(`${client.name} -> ${server.name} ${protocol.toUpperCase()} ${port}: ${answer}\n`);
}

function readTarget(target: string): { end: string; port: number } {
  const [, bracketed, plain, digits = ''] = /^(?:\[([^\]]*)\]|([^:]*)):([0-9]+)$/.exec(target) ?? [];
  const end = bracketed ?? plain;
  const port = parsePort(digits);
  if (end === undefined || !port.ok) {
    throw new UsageError(
      `${JSON.stringify(target)} is no end with a port`,
      'give POD:PORT, ADDRESS:PORT or [ADDRESS]:PORT, with a port within 1..65535',
    );
  }
  return { end, port: port.value };
}

/** By name a pod, by address whoever of the lab has it. */
function findEnd(lab: Lab, text: string): ProbeEnd {
  const address = parseIp(text);
  if (!address.ok) {
    const pod = readPodName(text);
    const netns = lab.namespaceOf({ pod });
    const ips = lab.pods().find((one) => one.netns === netns)?.ips ?? [];
    return { name: podKey(pod), netns, ips };
  }
  const ips = [address.value];
  const owner =
    lab.pods().find((pod) => pod.ips.includes(address.value))?.netns ??
    lab.nodes().find((node) => node.addresses.some(({ ip }) => ip === address.value))?.namespace ??
    (lab.topology.outside.includes(address.value) ? lab.topology.underlayNamespace : undefined);
  if (owner !== undefined) return { name: text, netns: owner, ips };
  throw new LabError('not-found', `nothing of the lab has the address ${text}`, {
    hint: `a probe needs somebody who answers: a pod, a node, or outside (${lab.topology.outside.map(formatIp).join(', ')})`,
  });
}
