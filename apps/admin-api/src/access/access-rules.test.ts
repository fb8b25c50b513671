import { ROLES, ROUTES, type RouteContract } from '@canal/admin-schema';
import { describe, expect, test } from 'vitest';
import { accessOf, mayAct, resourceName, roleRules } from './access-rules.ts';

describe('what each operation asks Kubernetes for', () => {
  const table = Object.fromEntries(
    ROUTES.map((route) => {
      const access = accessOf(route);
      return [route.id, `${access.verb} ${resourceName(access)}`];
    }),
  );

  // Written out: who changes it takes rights away, or gives them.
  test('is as documented', () => {
    expect(table).toMatchObject({
      listNodes: 'list nodes',
      getNode: 'get nodes',
      listLeases: 'list leases',
      listEndpoints: 'list endpoints',
      listPolicies: 'list policies',
      explain: 'create explain',
      diff: 'create diff',
      listFlows: 'list flows',
      streamFlows: 'watch flows/stream',
      listAddressPools: 'list ipam/pools',
      listAddresses: 'list ipam/addresses',
      releaseAddress: 'create ipam/addresses-release',
      getNetConf: 'get config/net-conf',
      validateNetConf: 'create config/net-conf-validate',
      putNetConf: 'update config/net-conf',
      listEvents: 'list events',
      listAuditRecords: 'list audit',
      diagnose: 'get diag',
    });
  });

  test('differs wherever the role does', () => {
    const roles = Map.groupBy(ROUTES, ({ id }) => table[id]);
    for (const [access, routes] of roles)
      expect([access, new Set(routes.map(({ role }) => role)).size]).toEqual([access, 1]);
  });
});

describe('the ClusterRoles', () => {
  const rules = roleRules(ROUTES);
  const allows = (role: (typeof ROLES)[number], route: RouteContract): boolean => {
    const access = accessOf(route);
    return rules[role].some(
      (rule) =>
        rule.apiGroups.includes(access.group) &&
        rule.resources.includes(resourceName(access)) &&
        rule.verbs.includes(access.verb),
    );
  };

  test('allow what the roles may do, and nothing else', () => {
    for (const route of ROUTES) {
      const allowed = ROLES.filter((role) => allows(role, route));
      expect([route.id, allowed]).toEqual([route.id, ROLES.filter((role) => mayAct(role, route.role))]);
    }
  });

  test('have no wildcard, and metrics as no path: that is the API server’s, too', () => {
    expect(JSON.stringify(rules)).not.toMatch(/\*|nonResource/);
    for (const role of ROLES) {
      expect(rules[role]).toContainEqual({ apiGroups: ['admin.canal.io'], resources: ['metrics'], verbs: ['get'] });
    }
  });
});
