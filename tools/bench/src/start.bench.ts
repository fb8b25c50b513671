/** Start of the compiled plugin: CNI VERSION, against Debian's bridge and host-local plugins answering the same. */
import { fileURLToPath } from 'node:url';
import { compare, type Contender } from './comparison.ts';
import { quantile } from './statistics.ts';

const CANAL = fileURLToPath(new URL('../../../dist/canal', import.meta.url));
const CALLS = 100;

const version = (name: string, executable: string): Contender => ({
  name,
  round: async () => {
    const times: number[] = [];
    const stdin = new TextEncoder().encode('{"cniVersion":"1.0.0"}');
    for (let call = 0; call < CALLS; call++) {
      const started = performance.now();
      const child = Bun.spawn([executable], { env: { CNI_COMMAND: 'VERSION' }, stdin, stdout: 'pipe', stderr: 'pipe' });
      const [output, exitCode] = await Promise.all([new Response(child.stdout).text(), child.exited]);
      times.push(performance.now() - started);
      if (exitCode !== 0 || !output.includes('supportedVersions')) throw new Error(`${name}: ${output}`);
    }
    return { 'VERSION p50 ms': quantile(times, 0.5), 'VERSION p99 ms': quantile(times, 0.99) };
  },
});

await compare({
  title: 'Start of the CNI plugin',
  contenders: [
    version('canal', CANAL),
    version('host-local', '/usr/lib/cni/host-local'),
    version('bridge', '/usr/lib/cni/bridge'),
  ],
  rounds: 5,
});
