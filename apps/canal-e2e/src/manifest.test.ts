import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { editManifest, editNetConf } from './manifest.ts';
import { DEFAULT_MANIFEST } from './run.ts';

const VXLAN = { Type: 'vxlan' };

function configOf(text: string): { readonly netConf: unknown; readonly conflist: { readonly plugins: unknown[] } } {
  const config = parseAllDocuments(text)
    .map((document) => document.toJS() as { kind: string; metadata: { name: string }; data: Record<string, string> })
    .find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'canal-config');
  return {
    netConf: JSON.parse(config?.data['net-conf.json'] ?? ''),
    conflist: JSON.parse(config?.data['cni-conf.json'] ?? '') as { readonly plugins: unknown[] },
  };
}

describe('the manifest that ships', () => {
  const shipped = readFileSync(DEFAULT_MANIFEST, 'utf8');

  test('is edited in its ConfigMap alone', () => {
    const settings = { backend: { Type: 'host-gw' }, podMode: 'bridge' } as const;
    const edited = editManifest(shipped, settings, ['10.1.0.0/16', 'fd00:1::/56']);
    const { netConf, conflist } = configOf(edited);
    expect(netConf).toEqual({
      Network: '10.1.0.0/16',
      EnableIPv6: true,
      IPv6Network: 'fd00:1::/56',
      Backend: { Type: 'host-gw' },
    });
    expect(conflist.plugins).toEqual([expect.objectContaining({ type: 'canal', mode: 'bridge' })]);
    const others = (text: string): unknown[] =>
      parseAllDocuments(text)
        .map((document) => document.toJS() as { kind: string })
        .filter(({ kind }) => kind !== 'ConfigMap');
    expect(others(edited)).toEqual(others(shipped));
    expect(others(edited).length).toBeGreaterThan(3);
  });

  test('keeps what it says where nothing else is asked for', () => {
    const { netConf } = configOf(editManifest(shipped, { backend: VXLAN, podMode: 'routed' }, []));
    expect(netConf).toEqual(configOf(shipped).netConf);
  });
});

test('a manifest without the ConfigMap is refused', () => {
  const settings = { backend: VXLAN, podMode: 'routed' } as const;
  expect(() => editManifest('kind: Namespace\n', settings, [])).toThrow('no ConfigMap canal-config');
});

test('keys of net-conf.json that are not ours to set stay', () => {
  expect(editNetConf({ Network: '10.0.0.0/8', SubnetLen: 24, Backend: VXLAN }, { Type: 'host-gw' }, [])).toEqual({
    Network: '10.0.0.0/8',
    SubnetLen: 24,
    Backend: { Type: 'host-gw' },
  });
});
