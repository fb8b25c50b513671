/** Whether one pod reaches another, as agnhost sees it; and that the answer becomes what is expected. */
import { eventually } from './eventually.ts';
import type { Pod } from './pods.ts';
import { endpointText } from './services.ts';

export interface Probe {
  readonly from: Pod;
  readonly host: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
  readonly expected: 'reaches' | 'denied';
}

const CONNECT_MS = 1_000;
/** The API, the agents' watches and the rules; the limit of the suite, not of the agents. */
const SETTLED_MS = 10_000;

/** A refused connection has reached the pod: it counts. */
export async function reaches({ from, host, port, protocol }: Omit<Probe, 'expected'>): Promise<boolean> {
  const target = endpointText(host, port);
  const { status, stderr, stdout } = await from.exec(
    ['/agnhost', 'connect', target, `--protocol=${protocol}`, `--timeout=${CONNECT_MS}ms`],
    { allowFailure: true },
  );
  const said = `${stdout}${stderr}`.trim();
  if (status === 0 || said.includes('REFUSED')) return true;
  if (said.includes('TIMEOUT')) return false;
  throw new Error(`agnhost connect ${target} in ${from.name}: ${status} ${said}`);
}

/** Asks all at once, again until all are as expected; then once more, so that it was no moment on the way. */
export async function expectProbes(what: string, probes: readonly Probe[]): Promise<void> {
  const wrong = async (): Promise<readonly string[]> => {
    const answers = await Promise.all(probes.map(reaches));
    return probes
      .filter(({ expected }, index) => (answers[index] === true) !== (expected === 'reaches'))
      .map(
        ({ from, host, port, protocol, expected }) =>
          `${from.namespace}/${from.name} to ${host} ${protocol} ${port}: not ${expected}`,
      );
  };
  await eventually(
    what,
    async () => {
      const list = await wrong();
      if (list.length > 0) throw new Error(list.join('; '));
      return true;
    },
    { withinMs: SETTLED_MS, everyMs: 100 },
  );
  const list = await wrong();
  if (list.length > 0) throw new Error(`${what}, and then no longer: ${list.join('; ')}`);
}
