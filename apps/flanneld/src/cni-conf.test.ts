import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  type ConfDecision,
  type ConfTemplate,
  decideConf,
  earlierConfs,
  foreignTypes,
  parseConfTemplate,
} from './cni-conf.ts';

const SHIPPED = readFileSync(resolve(import.meta.dirname, '../../../deploy/cni/10-canal.conflist'), 'utf8');
const CANAL = { type: 'canal', mode: 'routed' };
const PORTMAP = { type: 'portmap', capabilities: { portMappings: true } };
const MESH = { type: 'istio-cni', kubernetes: { cni_bin_dir: '/opt/cni/bin' } };

function templateOf(text: string): ConfTemplate {
  const parsed = parseConfTemplate(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

function list(...plugins: object[]): string {
  return JSON.stringify({ cniVersion: '1.0.0', name: 'canal', plugins });
}

describe('template', () => {
  test.each([
    ['the shipped one', SHIPPED],
    ['bridge mode', list({ type: 'canal', mode: 'bridge' })],
    ['with a plugin behind', list(CANAL, PORTMAP)],
    ['behind another', list({ type: 'first' }, CANAL)],
  ])('taken: %s', (_title, text) => {
    expect(templateOf(text).text).toBe(text);
  });

  test.each([
    ['no JSON', '{"name": "canal",', 'is not JSON'],
    ['no object', '[]', 'expected a JSON object'],
    ['no name', '{"cniVersion": "1.0.0", "plugins": [{"type": "canal"}]}', 'name: nothing'],
    ['a name that leads elsewhere', list(CANAL).replace('"name":"canal"', '"name":"../x"'), 'name'],
    ['no plugins', list(), 'plugins: []: expected a list of at least one plugin'],
    ['a plugin without type', list(CANAL, {}), 'plugins[1].type'],
    ['a type that is a path', list(CANAL, { type: '../sh' }), 'plugins[1].type'],
    ['an unknown version', list(CANAL).replace('1.0.0', '9.0.0'), 'cniVersion'],
    ['no plugin of ours', list(PORTMAP), 'plugins: none has the type "canal"'],
    ['a mode that is none', list(PORTMAP, { type: 'canal', mode: 'rooted' }), 'plugins[1].mode: "rooted"'],
  ])('refused: %s', (_title, text, named) => {
    const parsed = parseConfTemplate(text);
    expect(parsed.ok ? 'taken' : parsed.error).toContain(named);
  });
});

describe('what becomes of the file', () => {
  const former = list(CANAL, PORTMAP);
  const spaced = JSON.stringify(JSON.parse(list(CANAL)), null, 4);
  const rows: [string, string | undefined, string | undefined, ConfDecision][] = [
    ['none is there', undefined, undefined, { action: 'write' }],
    ['it says the same', list(CANAL), undefined, { action: 'keep', appended: [] }],
    ['it says the same in other words', spaced, undefined, { action: 'keep', appended: [] }],
    ['half of it', list(CANAL).slice(0, 30), undefined, { action: 'write' }],
    ['it is empty', '', undefined, { action: 'write' }],
    ['an object that configures nothing', '{}', undefined, { action: 'write' }],
    ['others changed a key of ours', list({ type: 'canal', mode: 'bridge' }), undefined, { action: 'write' }],
    ['others took a plugin in before ours', list(MESH, CANAL), undefined, { action: 'write' }],
    ['others appended a plugin', list(CANAL, MESH), undefined, { action: 'keep', appended: ['istio-cni'] }],
    ['… while we watched', list(CANAL, MESH), list(CANAL), { action: 'keep', appended: ['istio-cni'] }],
    ['the template lost its last plugin', former, former, { action: 'write' }],
    [
      'another CNI has our name',
      list({ type: 'calico' }, PORTMAP),
      undefined,
      { action: 'leave', types: ['calico', 'portmap'] },
    ],
    ['another CNI, of the old form', '{"type": "weave"}', list(CANAL), { action: 'leave', types: ['weave'] }],
    ['plugins that are no objects', '{"plugins": [null, 5, "x"]}', undefined, { action: 'write' }],
  ];
  test.each(rows)('%s', (_title, present, inForce, decision) => {
    expect(decideConf(templateOf(list(CANAL)), present, inForce)).toEqual(decision);
  });
});

test('files that a runtime takes before ours, in its order', () => {
  const names = [
    '99-loopback.conf',
    '10-canal.conflist',
    '10-calico.conflist',
    '05-cilium.conf',
    '05-cilium.conf.bak',
    '.canal-tmp-1-10-canal.conflist.tmp',
    '.hidden.conflist',
    '00-multus.json',
    '10-flannel.conflist',
    'README',
  ];
  expect(earlierConfs('10-canal.conflist', names)).toEqual([
    '.hidden.conflist',
    '00-multus.json',
    '05-cilium.conf',
    '10-calico.conflist',
  ]);
});

test.each([
  [list({ type: 'calico' }), ['calico']],
  ['{"type": "multus", "delegates": []}', ['multus']],
  [list({ type: 'first' }, CANAL), undefined],
  ['not JSON', []],
  ['{}', []],
])('whose file is %j', (text, types) => {
  expect(foreignTypes(text)).toEqual(types);
});
