import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { InstalledRecord } from '../installed-record.ts';
import { PROGRAM_FILES } from '../program-files.ts';
import { programPart, statePart, subnetPart } from './file-parts.ts';
import type { Found, Part } from './part.ts';

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

describe('programs', () => {
  /** As an install with this --bin-dir leaves it. */
  const installIn = (directory: string, text: string): void => {
    mkdirSync(join(root, directory), { recursive: true });
    writeFileSync(join(root, directory, 'canal'), text);
    const sha256 = PROGRAM_FILES.hash(join(root, directory, 'canal'));
    new InstalledRecord(join(root, 'state')).announce(`${directory}/canal`, sha256);
  };
  const part = (): Part => {
    const record = new InstalledRecord(join(root, 'state'));
    const directories = record.directories().map((directory) => join(root, directory));
    return programPart({ directories, hostRoot: root, record, ownSha256: () => 'none' });
  };

  test('in directories of former settings go too, by the record', async () => {
    installIn('/opt/cni/bin', 'old');
    installIn('/usr/libexec/cni', 'new');
    expect(await removed(part())).toEqual(['/opt/cni/bin/canal', '/usr/libexec/cni/canal']);
    expect(existsSync(join(root, 'opt/cni/bin/canal'))).toBe(false);
  });

  test('the record stays as long as one of them does', async () => {
    installIn('/opt/cni/bin', 'old');
    const programs = part();
    const [state] = (await statePart(root, join(root, 'state'), programs).find()) as [Found];
    await expect(state.act?.()).rejects.toThrow("kept, as it tells that /opt/cni/bin/canal is canal's");
    expect(existsSync(join(root, 'state/installed.json'))).toBe(true);
    await removed(programs);
    await state.act?.();
    expect(existsSync(join(root, 'state'))).toBe(false);
  });
});
