/**
 * A process of its own that follows all nodes until in-sync, then prints what that took: the size of the test's own process
 * would say nothing. Started with the server's URL, its authority (PEM) and a token.
 */
import { createKubeStore, fixedCredentials, Secret } from '@canal/store-kube';
import { type KubeObject, NODES, type Parsed } from '@canal/store-port';

import { TEST_CLOCK } from './test-clock.ts';

const [baseUrl = '', ca = '', token = ''] = process.argv.slice(2);
const store = createKubeStore({
  connection: { baseUrl, tls: { ca }, credentials: fixedCredentials({ token: new Secret(token) }) },
  clock: TEST_CLOCK,
});
const megabytes = (): number => Math.round(process.memoryUsage().rss / 1024 / 1024);
const startMb = megabytes();
let peakMb = startMb;
const sampler = setInterval(() => {
  peakMb = Math.max(peakMb, megabytes());
}, 5);
const known = new Map<string, string>();
for await (const event of store.watch(NODES, parseSubnet, {}, new AbortController().signal)) {
  if (event.type === 'put' && event.parsed.ok) known.set(event.key, event.parsed.value);
  if (event.type === 'in-sync') break;
}
clearInterval(sampler);
const { user, system } = process.cpuUsage();
process.stdout.write(JSON.stringify({ nodes: known.size, startMb, peakMb, cpuMs: Math.round((user + system) / 1000) }));

function parseSubnet(object: KubeObject): Parsed<string> {
  const { spec } = object;
  const subnet: unknown = typeof spec === 'object' && spec !== null ? Reflect.get(spec, 'podCIDR') : undefined;
  return typeof subnet === 'string' ? { ok: true, value: subnet } : { ok: false, error: 'no podCIDR' };
}
