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

/** Asks for each argument, `PROTOCOL HOST:PORT`, at once; prints a line `INDEX STATUS WORDS` for each. */
const ASK_ALL = `limit="$1"; shift; n=0
for target; do
  ( said=$(/agnhost connect "\${target#* }" --protocol="\${target%% *}" --timeout="$limit" 2>&1); echo "$n $? $said" ) &
  n=$((n + 1))
done
wait`;

type Question = Omit<Probe, 'from' | 'expected'>;
/** `refused` is neither: all ports that are asked are served, so that is kube-proxy's word for a service without pods. */
type Answer = Probe['expected'] | 'refused';

/** In one exec: each costs more than what it asks. */
async function askAll(from: Pod, questions: readonly Question[]): Promise<readonly Answer[]> {
  const targets = questions.map(({ host, port, protocol }) => `${protocol} ${endpointText(host, port)}`);
  const { stdout } = await from.exec(['/bin/sh', '-c', ASK_ALL, 'ask-all', `${CONNECT_MS}ms`, ...targets]);
  const answers = new Map(
    stdout.split('\n').flatMap((line) => {
      const [, index, status, said] = /^(\d+) (\d+) ?(.*)$/.exec(line) ?? [];
      return index === undefined ? [] : [[Number(index), { status: Number(status), said: said ?? '' }] as const];
    }),
  );
  return targets.map((target, index) => {
    const answer = answers.get(index);
    if (answer?.status === 0) return 'reaches';
    if (answer?.said.includes('TIMEOUT') === true) return 'denied';
    if (answer?.said.includes('REFUSED') === true) return 'refused';
    throw new Error(
      `agnhost connect ${target} in ${from.name}: ${answer?.status ?? 'no answer'} ${answer?.said ?? stdout}`,
    );
  });
}

/** In the order of the probes. */
async function ask(probes: readonly Probe[]): Promise<readonly (Answer | undefined)[]> {
  const pods = [...new Set(probes.map(({ from }) => from))];
  const answers = new Map<Probe, Answer | undefined>();
  await Promise.all(
    pods.map(async (pod) => {
      const own = probes.filter(({ from }) => from === pod);
      const given = await askAll(pod, own);
      for (const [index, probe] of own.entries()) answers.set(probe, given[index]);
    }),
  );
  return probes.map((probe) => answers.get(probe));
}

/** Asks all at once, again until all are as expected; then once more, so that it was no moment on the way. */
export async function expectProbes(what: string, probes: readonly Probe[]): Promise<void> {
  const wrong = async (): Promise<readonly string[]> => {
    const answers = await ask(probes);
    return probes.flatMap(({ from, host, port, protocol, expected }, index) => {
      const answer = answers[index];
      if (answer === expected) return [];
      return [
        `${from.namespace}/${from.name} to ${host} ${protocol} ${port}: ${answer ?? 'no answer'}, not ${expected}`,
      ];
    });
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
