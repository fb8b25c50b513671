/** deploy/canal.yaml beside this program: its arguments are taken, and the ClusterRoles are the table's. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ROLES, ROUTES } from '@canal/admin-schema';
import { expect, test } from 'vitest';
import { type PolicyRule, roleRules } from './access/access-rules.ts';
import { parseAdminApiCommand } from './options.ts';

interface KubeObject {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly rules?: readonly PolicyRule[];
  readonly [field: string]: unknown;
}

const TEXT = readFileSync(resolve(import.meta.dirname, '../../../deploy/canal.yaml'), 'utf8');
const objects = Bun.YAML.parse(TEXT) as readonly KubeObject[];

function objectOf(kind: string, name: string): KubeObject {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
}

/** Each right by itself, whatever rules they are bundled in. */
function rightsOf(rules: readonly PolicyRule[]): readonly string[] {
  const rights = rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) => resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group} ${resource}`))),
  );
  return rights.sort();
}

test.each(ROLES)('the ClusterRole canal-%s is what the table says', (role) => {
  const shipped = rightsOf(objectOf('ClusterRole', `canal-${role}`).rules ?? []);
  expect(shipped).toEqual(rightsOf(roleRules(ROUTES)[role]));
  expect(shipped.length).toBeGreaterThan(10);
});

test('its arguments are taken', () => {
  const { template } = objectOf('Deployment', 'canal-admin-api')['spec'] as {
    readonly template: { readonly spec: { readonly containers: readonly { readonly args: readonly string[] }[] } };
  };
  const [program, ...args] = template.spec.containers[0]?.args ?? [];
  expect(program).toBe('admin-api');
  const command = parseAdminApiCommand(args, {});
  expect(command).toMatchObject({
    type: 'run',
    warnings: [],
    options: {
      host: '::',
      port: 9443,
      tokenFile: undefined,
      agentSockets: undefined,
      nodeTokenFile: '/var/run/secrets/canal-node-api/token',
      netConf: { namespace: 'canal-system', name: 'canal-config' },
      authorityConfigMap: { namespace: 'canal-system', name: 'canal-admin-api-authority' },
    },
  });
  expect(objectOf('ConfigMap', 'canal-admin-api-authority')).not.toHaveProperty('data');
});
