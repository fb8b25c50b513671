/** Memory of both agents and of the API server in an idle three-node lab, after ten seconds of rest. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createLab } from '@canal/lab';
import { compare, type Figures } from './comparison.ts';

const CANAL = fileURLToPath(new URL('../../../dist/canal', import.meta.url));
const STATE_ROOT = `/run/canal-lab-bench-${process.pid}`;
const REST_MS = 10_000;

/** Resident and private (not shared with other processes of the same binary) memory of a process, in MB. */
function memory(pid: number): { readonly resident: number; readonly private: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? NaN);
  return {
    resident: kilobytes('Rss') / 1024,
    private: (kilobytes('Private_Dirty') + kilobytes('Private_Clean')) / 1024,
  };
}

async function round(): Promise<Figures> {
  const lab = await createLab(
    { name: `bench${process.pid}`, nodes: 3, podsPerNode: 2 },
    { binary: CANAL, stateRoot: STATE_ROOT },
  );
  try {
    await Bun.sleep(REST_MS);
    const status = await lab.status();
    const agents = status.nodes.flatMap(({ agent }) => (agent.pid === undefined ? [] : [memory(agent.pid)]));
    const policyAgents = status.nodes.flatMap(({ policyAgent }) =>
      policyAgent?.pid === undefined ? [] : [memory(policyAgent.pid)],
    );
    const average = (values: readonly number[]): number =>
      values.reduce((sum, value) => sum + value, 0) / values.length;
    return {
      'flanneld resident MB': average(agents.map(({ resident }) => resident)),
      'flanneld private MB': average(agents.map((agent) => agent.private)),
      'policy-agent resident MB': average(policyAgents.map(({ resident }) => resident)),
      'policy-agent private MB': average(policyAgents.map((agent) => agent.private)),
      ...(status.apiServer.pid !== undefined && { 'API server resident MB': memory(status.apiServer.pid).resident }),
    };
  } finally {
    await lab.down();
  }
}

await compare({ title: 'Memory of an idle lab', contenders: [{ name: 'canal', round }], rounds: 5 });
