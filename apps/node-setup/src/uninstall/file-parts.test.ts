import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { subnetPart } from './file-parts.ts';
import type { Part } from './part.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'canal-parts-'));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

async function removed(part: Part): Promise<string[]> {
  const lines: string[] = [];
  for (const { name, act, note } of await part.find()) {
    await act?.();
    lines.push(act === undefined ? `left ${name}: ${note}` : name);
  }
  return lines;
}

describe('subnet.env', () => {
  const FLANNELS =
    'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n';
  const part = (text: string): Part => {
    const directory = join(root, 'run/flannel');
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'subnet.env'), text);
    return subnetPart(root, join(directory, 'subnet.env'));
  };

  test('of canal goes, with its directory', async () => {
    expect(await removed(part(`${FLANNELS}CANAL_BOOT_ID=b\n`))).toEqual(['/run/flannel/subnet.env', '/run/flannel']);
    expect(readdirSync(join(root, 'run'))).toEqual([]);
  });

  test('of flannel stays', async () => {
    const lines = await removed(part(FLANNELS));
    expect(lines).toEqual(['left /run/flannel/subnet.env: flannel wrote it and has the node now']);
    expect(readdirSync(join(root, 'run/flannel'))).toEqual(['subnet.env']);
  });
});
