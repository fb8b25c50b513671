/**
 * The program in a pod of `canalctl test`: the servers that others try, and on the pod's loopback alone a way to let it try
 * others itself, which a port-forward leads to. Whoever asks shows the token of the run. It ends by itself.
 */
import { timingSafeEqual } from 'node:crypto';
import { dial, type DialAnswer, type DialRequest } from './dial.ts';
import { type EchoServer, serveEcho } from './echo-server.ts';

/** Of the pod's environment. */
export const POD_NAME = 'CANAL_TEST_POD';
export const POD_ADDRESSES = 'CANAL_TEST_ADDRESSES';
export const RUN_TOKEN = 'CANAL_TEST_TOKEN';

export const CONTROL_PORT = 8081;
/** Longer than a run lasts: nobody comes any more. */
export const LIFE_SECONDS = 180;
const MAX_BODY_BYTES = 1024 * 1024;

/** Until the signal aborts; gives the exit code. */
export async function serveTest(
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<number> {
  const { [POD_NAME]: pod = '', [POD_ADDRESSES]: addresses = '', [RUN_TOKEN]: token = '' } = env;
  if (pod === '' || addresses === '' || token === '') {
    process.stderr.write(`${POD_NAME}, ${POD_ADDRESSES} and ${RUN_TOKEN} say who this is: "canalctl test" sets them\n`);
    return 2;
  }
  const echo = await serveEcho(pod, addresses.split(','));
  const control = serveControl({ token, port: CONTROL_PORT, tryOne: (request) => dial(request) });
  await ended(signal);
  control.close();
  echo.close();
  return 0;
}

export interface ControlOptions {
  readonly token: string;
  /** 0 for one that the kernel chooses. */
  readonly port: number;
  readonly tryOne: (request: DialRequest) => Promise<DialAnswer>;
}

export function serveControl({ token, port, tryOne }: ControlOptions): EchoServer & { readonly port: number } {
  const expected = Buffer.from(`Bearer ${token}`);
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port,
    maxRequestBodySize: MAX_BODY_BYTES,
    // Answers take as long as the slowest try.
    idleTimeout: 60,
    fetch: async (request) => {
      const shown = Buffer.from(request.headers.get('authorization') ?? '');
      if (shown.length !== expected.length || !timingSafeEqual(shown, expected)) {
        return new Response('no\n', { status: 401 });
      }
      const requests = (await request.json()) as readonly DialRequest[];
      return Response.json(await Promise.all(requests.map((one) => tryOne(one))));
    },
  });
  return { port: server.port ?? port, close: () => void server.stop(true) };
}

async function ended(signal: AbortSignal): Promise<void> {
  await new Promise<undefined>((resolve) => {
    const timer = setTimeout(end, LIFE_SECONDS * 1000);
    function end(): void {
      clearTimeout(timer);
      resolve(undefined);
    }
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}
