/** Lines that say who sends what to whom, as packets: `web,far > subject tcp/80 udp/53 icmp`. */
/* eslint-disable @nx/enforce-module-boundaries -- of tests alone */
import type { Injection, Prober, ProbeQuestion, TestNetns } from '@canal/testing';

export interface Place {
  readonly netns: TestNetns;
  readonly ip4: string;
  readonly ip6: string;
  /** Of pods: an address that is translated to theirs, and ports of it (SERVICE_PORTS above) to theirs. */
  readonly service?: { readonly ip4: string; readonly ip6: string };
}

/** Where echo servers listen, with TCP and UDP. */
export const PORTS = [53, 79, 80, 81, 82, 83, 8080, 8081, 8082, 8083] as const;
/** Port 80 of a pod is port 10080 of its service. */
export const SERVICE_PORTS = 10_000;

export interface Probe {
  /** For people. */
  readonly text: string;
  readonly ask: ProbeQuestion | SctpProbe;
}

interface SctpProbe {
  readonly protocol: 'sctp';
  readonly from: TestNetns;
  readonly source: string;
  readonly target: string;
  readonly port: number;
  /** Where it must arrive, told by its source port. */
  readonly at: TestNetns;
}

/**
 * Each line of both families and, to pods, by their addresses and by their services; `v4`, `v6`, `direct` and `service`
 * narrow it. Echo requests have no service.
 */
export function readProbes(lines: readonly string[], place: (name: string) => Place): Probe[] {
  return lines.flatMap((line) => {
    const [senders, rest] = line.split(' > ');
    const [receivers, ...words] = rest?.split(' ') ?? [];
    if (senders === undefined || receivers === undefined || words.length === 0) throw new Error(`no probe: ${line}`);
    const only = (name: string): boolean => words.includes(name);
    const families = (['ip4', 'ip6'] as const).filter((family) => !only(family === 'ip4' ? 'v6' : 'v4'));
    const services = words.filter((word) => !['v4', 'v6', 'direct', 'service'].includes(word));
    return senders.split(',').flatMap((sender) =>
      receivers.split(',').flatMap((receiver) =>
        families.flatMap((family) =>
          services.flatMap((service): Probe[] => {
            const [from, to] = [place(sender), place(receiver)];
            const [protocol, number = '0'] = service.split('/');
            const port = Number(number);
            const ways = [
              ...(only('service') ? [] : [{ way: 'direct', target: to[family], port }]),
              ...(to.service === undefined || protocol === 'icmp' || only('direct')
                ? []
                : [{ way: 'service', target: to.service[family], port: SERVICE_PORTS + port }]),
            ];
            return ways.map(({ way, ...where }) => {
              const ends = { from: from.netns, source: from[family], ...where };
              return {
                text: `${sender} > ${receiver} ${service} ${family} ${way}`,
                ask:
                  protocol === 'sctp'
                    ? { ...ends, protocol, at: to.netns }
                    : { ...ends, protocol: protocol as ProbeQuestion['protocol'] },
              };
            });
          }),
        ),
      ),
    );
  });
}

let sourcePort = 20_000;

/** `open`, `closed`, or what else came of it, in order. */
export async function runProbes(prober: Prober, probes: readonly Probe[], waitMs: number): Promise<string[]> {
  const questions = probes.flatMap(({ ask }) => (ask.protocol === 'sctp' ? [] : [ask]));
  const answers = questions.length > 0 ? await prober.probe(questions, waitMs) : [];
  const arrived = await sendSctp(
    prober,
    probes.flatMap(({ ask }) => (ask.protocol === 'sctp' ? [ask] : [])),
  );
  let [at, sctpAt] = [0, 0];
  return probes.map(({ ask }) => {
    if (ask.protocol !== 'sctp') return answers[at++] ?? 'no answer';
    return arrived[sctpAt++] === true ? 'open' : 'closed';
  });
}

/** There are no SCTP sockets everywhere: INIT chunks by hand, seen where they arrive. */
async function sendSctp(prober: Prober, probes: readonly SctpProbe[]): Promise<boolean[]> {
  if (probes.length === 0) return [];
  const places = [...new Set(probes.map(({ at }) => at))];
  const packets = probes.map(({ from, source, target, port }): Injection => {
    sourcePort = sourcePort === 60_000 ? 20_000 : sourcePort + 1;
    return { from, packet: { source, destination: target, protocol: 'sctp', sourcePort, port } };
  });
  const seen = await prober.inject(packets, places, 60);
  return probes.map(({ at }, index) => {
    const injection = packets[index];
    const port = injection !== undefined && 'packet' in injection ? injection.packet.sourcePort : undefined;
    return (seen[places.indexOf(at)] ?? []).some((packet) => packet.protocol === 132 && packet.sourcePort === port);
  });
}
