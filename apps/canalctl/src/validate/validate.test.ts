import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Outcome } from '../command-context.ts';
import { createProgram } from '../program.ts';
import { reportError } from '../report-error.ts';
import { pathOfField, pointerOf } from './finding.ts';
import { renderFindings } from './run.ts';
import { validateFile } from './validate-file.ts';

const POLICY = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: {}
`;
const NET_CONF = '{ "Network": "10.244.0.0/16", "Backend": { "Type": "vxlan" } }';

/** Each line without the sum. */
function lines(text: string, file = 'f'): readonly string[] {
  const { findings, checked } = validateFile(text, file, 'default');
  return renderFindings(findings, checked.length).trimEnd().split('\n').slice(0, -1);
}

test.each<[string, string, readonly string[]]>([
  ['what is right', POLICY, []],
  [
    'a port that is none',
    `${POLICY}  ingress:\n    - ports:\n        - port: 80\n        - port: 0\n`,
    [
      'f:9: error: NetworkPolicy shop/db: spec.ingress[0].ports[1].port is 0: expected a port within 1..65535, or the name of one; this item allows nothing',
    ],
  ],
  [
    'a selector that cannot be read',
    `# first\n---\n${POLICY.replace('{}', '\n    matchLabels: { a.b/c: 1 }')}`,
    [
      'f:8: error: NetworkPolicy shop/db: spec.podSelector.matchLabels.a.b/c is 1: expected a label value; the policy isolates every pod of its namespace and allows nothing',
    ],
  ],
  [
    'a misspelt field',
    `${POLICY}  ingress:\n    - ports:\n        - prot: 80\n    - From: []\n`,
    [
      'f:8: error: NetworkPolicy shop/db: spec.ingress[0].ports[0].prot is no field: expected endPort, port, protocol; it is ignored, or refused by the API server',
      'f:9: error: NetworkPolicy shop/db: spec.ingress[1].From is no field: expected from (in these letters); it is ignored, or refused by the API server',
    ],
  ],
  [
    'a field in other letters',
    `${POLICY}  policytypes: [Ingress]\n`,
    [
      'f:6: error: NetworkPolicy shop/db: spec.policytypes is no field: expected policyTypes (in these letters); it is ignored, or refused by the API server',
    ],
  ],
  [
    'rules that no type asks for',
    `${POLICY}  policyTypes: [Egress]\n  ingress: [{}]\n`,
    [
      'f:7: warning: NetworkPolicy shop/db: spec.ingress has rules: expected Ingress in spec.policyTypes; without it they mean nothing',
    ],
  ],
  [
    "Calico's kind",
    POLICY.replace('networking.k8s.io/v1', 'projectcalico.org/v3'),
    [
      'f:1: error: NetworkPolicy shop/db: apiVersion is "projectcalico.org/v3": expected "networking.k8s.io/v1"; it is a kind of Calico, which canal does not enforce',
    ],
  ],
  [
    'a name that is none',
    POLICY.replace('name: db', 'name: D_b'),
    [
      'f:3: error: NetworkPolicy shop/D_b: metadata.name is "D_b": expected letters in lower case, digits, "-" and "."; an API server refuses it',
    ],
  ],
  [
    'an object twice',
    `${POLICY}---\n${POLICY}`,
    ['f:7: warning: NetworkPolicy shop/db: stands in the file before: the latter counts'],
  ],
  [
    'a list',
    `kind: List\nitems:\n  - kind: NetworkPolicy\n    apiVersion: networking.k8s.io/v1\n    metadata: { name: a }\n    spec: { podSelector: [] }\n`,
    [
      'f:6: error: NetworkPolicy default/a: spec.podSelector is an empty list: expected a label selector; the policy isolates every pod of its namespace and allows nothing',
    ],
  ],
  [
    'no YAML',
    'a: [\n',
    ['f:2: error: no YAML or JSON: Flow sequence in block collection must be sufficiently indented and end with a ]'],
  ],
  ['a key twice', 'kind: a\nkind: b\n', ['f:2: error: no YAML or JSON: Map keys must be unique']],
  ['a text', 'hello\n', ['f:1: error: a document is no object']],
  ['no kind', 'a: b\n', ['f:1: error: kind is missing: expected that of an object']],
  ['other kinds', 'kind: Deployment\n', []],
  ['nothing', '', []],
])('%s', (_name, text, expected) => {
  expect(lines(text)).toEqual(expected);
});

describe('net-conf.json', () => {
  const FAULT = '{\n  "Network": "10.244.0.0/16",\n  "backend": {\n    "type": "vxlan",\n    "VNI": -1\n  }\n}\n';
  const says = /: Backend\.VNI is -1: expected .*; the node agents keep what they had, and new ones do not start$/;

  test('as a file: the line of the field, in any letters', () => {
    expect(lines(NET_CONF)).toEqual([]);
    expect(lines(FAULT, 'x/net-conf.json')).toEqual([expect.stringMatching(/^x\/net-conf\.json:5: error/)]);
    expect(lines(FAULT, 'x/net-conf.json')[0]).toMatch(says);
  });

  test('in a ConfigMap: the line in its text', () => {
    const inMap = `kind: ConfigMap\nmetadata: { name: c }\ndata:\n  net-conf.json: |\n${FAULT.replace(/^/gm, '    ')}\n`;
    expect(lines(inMap)).toEqual([
      expect.stringMatching(/^f:9: error: ConfigMap default\/c net-conf\.json: Backend\.VNI/),
    ]);
    const { findings } = validateFile(inMap, 'f', 'default');
    expect(findings).toMatchObject([{ pointer: '/data/net-conf.json' }]);
    const quoted = `kind: ConfigMap\nmetadata: { name: c }\ndata: { net-conf.json: ${JSON.stringify(FAULT)} }\n`;
    expect(lines(quoted)).toEqual([expect.stringMatching(/^f:3: error/)]);
  });

  test('a field that is not known is a warning', () => {
    expect(lines('{\n"Network": "10.244.0.0/16",\n"Backend": { "Type": "vxlan" },\n"Netwrk": 1 }')).toEqual([
      'f:4: warning: "Netwrk" is not known and has no effect',
    ]);
  });

  test('cni-conf.json', () => {
    const inMap = `kind: ConfigMap\nmetadata: { name: c }\ndata: { cni-conf.json: '{"cniVersion":"1.0.0","name":"n","plugins":[]}' }\n`;
    expect(lines(inMap)).toEqual([
      expect.stringMatching(/^f:3: error: ConfigMap default\/c cni-conf\.json: plugins.*no runtime can use it$/),
    ]);
  });
});

test("the project's own manifest is right", async () => {
  const file = resolve(import.meta.dirname, '../../../../deploy/canal.yaml');
  const { findings, checked } = validateFile(await Bun.file(file).text(), file, 'default');
  expect(findings).toEqual([]);
  expect(checked).toContain('ConfigMap canal-system/canal-config');
});

test('pointers and fields', () => {
  expect(pointerOf(pathOfField('spec.ingress[0].from[1].podSelector.matchLabels.a.b/c'))).toBe(
    '/spec/ingress/0/from/1/podSelector/matchLabels/a.b~1c',
  );
  expect(pointerOf([])).toBe('');
});

test('whatever the text is: lines without control characters', () => {
  const piece = fc.constantFrom(
    '\n',
    '  ',
    ': ',
    '- ',
    '---\n',
    '{',
    '}',
    '[',
    ']',
    '"',
    '|',
    '&a ',
    '*a',
    '<<: ',
    'kind: List',
    'items',
    'kind: NetworkPolicy',
    '\u001b[2J',
    POLICY,
    NET_CONF,
  );
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
  );
  fc.assert(
    fc.property(texts, (text) => {
      for (const line of lines(text))
        expect(line).toMatch(/^f(?::\d+)?: (?:error|warning): [^\u0000-\u001f\u007f-\u009f]+$/);
    }),
    { numRuns: 1000 },
  );
});

describe('the command', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'canalctl-validate-'));
  });
  afterAll(() => {
    rmSync(directory, { recursive: true });
  });

  async function run(text: string, ...more: string[]): Promise<{ exitCode: number; out: string; err: string }> {
    const file = join(directory, 'f.yaml');
    writeFileSync(file, text);
    const written = { out: '', err: '' };
    const outcome: Outcome = { exitCode: 0 };
    const terminal = {
      live: false,
      out: (part: string) => void (written.out += part),
      err: (part: string) => void (written.err += part),
    };
    try {
      const context = { terminal, signal: new AbortController().signal, outcome };
      await createProgram(context).parseAsync(['validate', '-f', file, ...more], { from: 'user' });
      return { ...written, exitCode: outcome.exitCode };
    } catch (error) {
      return { ...written, exitCode: await reportError(terminal, error, outcome.failure) };
    }
  }

  test('0 when all is right, warnings too; what is passed over is said', async () => {
    expect(await run(`${POLICY}---\nkind: Service\n`)).toEqual({
      exitCode: 0,
      out: '1 object: 0 errors, 0 warnings\n',
      err: 'passed over: Service\n',
    });
    expect(await run(`${POLICY}  policyTypes: [Egress]\n  ingress: [{}]\n`)).toMatchObject({ exitCode: 0 });
  });

  test('5 for an error, and JSON of it', async () => {
    const { exitCode, out } = await run(`${POLICY}  ingress: 1\n`, '-o', 'json');
    expect(exitCode).toBe(5);
    expect(JSON.parse(out)).toMatchObject({
      findings: [{ severity: 'error', line: 6, object: 'NetworkPolicy shop/db', pointer: '/spec/ingress' }],
      checked: ['NetworkPolicy shop/db'],
    });
  });

  test('2 for a file that is not there', async () => {
    expect(await run(POLICY, '-f', join(directory, 'absent'))).toMatchObject({ exitCode: 2, out: '' });
  });
});
