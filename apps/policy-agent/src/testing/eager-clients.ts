/** Clients that send from the first moment of their pods, in a process of their own so that nothing here delays them. */
// eslint-disable-next-line @nx/enforce-module-boundaries -- of tests alone
import type { TestNetns } from '@canal/testing';

export interface EagerClients extends AsyncDisposable {
  add(netns: TestNetns): Promise<void>;
  drop(netns: TestNetns): Promise<void>;
}

export function startEagerClients(target: { readonly address: string; readonly port: number }): EagerClients {
  const script = new URL('eager-clients.py', import.meta.url).pathname;
  const child = Bun.spawn(['python3', script, target.address, String(target.port)], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'inherit',
  });
  const waiting: (() => void)[] = [];
  const reading = (async () => {
    for await (const chunk of child.stdout) {
      for (const byte of chunk) if (byte === 10) waiting.shift()?.();
    }
  })();
  const ask = async (line: string): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    waiting.push(() => resolve(undefined));
    void child.stdin.write(`${line}\n`);
    await child.stdin.flush();
    await promise;
  };
  return {
    add: ({ path }) => ask(`add ${path}`),
    drop: ({ path }) => ask(`drop ${path}`),
    [Symbol.asyncDispose]: async () => {
      await child.stdin.end();
      await child.exited;
      await reading;
    },
  };
}
