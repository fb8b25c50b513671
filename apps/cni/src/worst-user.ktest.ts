/** Places that are not what the configuration says, with `policy: required`: ADD fails, names them, and leaves nothing. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { mount, MS, unmount } from '@canal/linux-ffi';
import { expect, test } from 'vitest';
import { CniNode, globalAddresses, ipJson } from './testing/cni-node.ts';
import { FakePolicyAgent, POLICED } from './testing/fake-policy-agent.ts';

class PolicedNode extends CniNode {
  constructor() {
    super({ config: { policy: 'required' } });
  }

  get socket(): string {
    return `${this.folder}/policy.sock`;
  }

  override plugin(): Record<string, unknown> {
    return { ...super.plugin(), policySocket: this.socket };
  }
}

/** Makes the place wrong; gives what makes it right again. */
type Spoil = (node: PolicedNode) => () => void;

function mounted(path: string, flags: number, data: string): () => void {
  mkdirSync(path, { recursive: true });
  mount('tmpfs', path, 'tmpfs', flags, data);
  return () => unmount(path);
}

test.each<[string, Spoil, { readonly code: number; readonly says: readonly string[] }]>([
  [
    'the state directory is read-only',
    ({ folder }) => mounted(`${folder}/state`, MS.RDONLY, ''),
    { code: 5, says: ['/state', 'EROFS'] },
  ],
  [
    'the state directory is on a full disk',
    ({ folder }) => {
      const undo = mounted(`${folder}/state`, 0, 'size=64k');
      expect(() => writeFileSync(`${folder}/state/filler`, new Uint8Array(100_000))).toThrow('ENOSPC');
      return undo;
    },
    { code: 5, says: ['/state', 'ENOSPC'] },
  ],
  [
    'the state directory is a file',
    ({ folder }) => {
      writeFileSync(`${folder}/state`, '');
      return () => rmSync(`${folder}/state`);
    },
    { code: 5, says: ['/state', 'ENOTDIR'] },
  ],
  [
    'the socket is a directory',
    ({ socket }) => {
      mkdirSync(socket);
      return () => rmSync(socket, { recursive: true });
    },
    { code: 11, says: ['the policy agent does not run', 'policy.sock', 'ECONNREFUSED'] },
  ],
  [
    'the socket is a file',
    ({ socket }) => {
      writeFileSync(socket, '');
      return () => rmSync(socket);
    },
    { code: 11, says: ['the policy agent does not run', 'policy.sock', 'ECONNREFUSED'] },
  ],
])('%s', async (_what, spoil, { code, says }) => {
  using node = new PolicedNode();
  const pod = node.pod('a');
  const mend = spoil(node);
  // Where the socket is what is wrong, nobody can be there yet.
  using _agent = code === 5 ? new FakePolicyAgent(node.socket, () => POLICED) : undefined;
  const failure: unknown = await node.runtime.add(node.list(), pod).catch((error: unknown) => error);
  expect(failure).toMatchObject({ pluginCode: code });
  for (const words of says) expect((failure as Error).message).toContain(words);
  expect(node.traces()).toEqual([]);
  expect(ipJson(pod.run('ip', '-j', 'link')).map(({ ifname }) => ifname)).toEqual(['lo']);
  // The runtime takes the sandbox down, whatever the state of the disk.
  await node.runtime.del(node.list(), pod);
  mend();
  using _late = code === 5 ? undefined : new FakePolicyAgent(node.socket, () => POLICED);
  await node.runtime.add(node.list(), pod);
  expect(globalAddresses(pod)).toHaveLength(1);
});
