/** agnhost's netexec on the machine outside the cluster. */
import { eventually } from './eventually.ts';
import type { Outside } from './world.ts';

export interface OutsideServer {
  readonly httpPort: number;
  readonly udpPort: number;
  stop(): Promise<void>;
}

const HTTP_PORT = 8080;
const UDP_PORT = 8081;

/** Starts one, unless the machine already serves (as a container does that was started with the agnhost image). */
export async function startOutsideServer(outside: Outside): Promise<OutsideServer> {
  const ports = { httpPort: HTTP_PORT, udpPort: UDP_PORT };
  if (await answers(outside)) return { ...ports, stop: () => Promise.resolve() };
  const script = `"$1" netexec --http-port=${HTTP_PORT} --udp-port=${UDP_PORT} </dev/null >/dev/null 2>&1 & echo $!`;
  const { stdout } = await outside.exec(['sh', '-c', script, 'server', outside.agnhost]);
  await eventually('the server outside to answer', () => answers(outside), { withinMs: 10_000 });
  return {
    ...ports,
    stop: async () => {
      await outside.exec(['kill', stdout.trim()]);
    },
  };
}

async function answers(outside: Outside): Promise<boolean> {
  const served = await outside.get(`http://127.0.0.1:${HTTP_PORT}/hostname`).catch(() => []);
  return served.length > 0;
}
