/**
 * Rows of the checklist in docs (NetworkPolicy v1 semantics) that the engine decides. Each states the rules that the
 * endpoint of `a/subject` (10.0.0.1, fd00::1) gets, with the members of sets in place of their ids.
 */
import type { NetworkPolicy, PolicyPod, PolicyRule } from '@canal/model';
import { describe, expect, test } from 'vitest';
import { createPolicyEngine } from './create-policy-engine.ts';
import type { PolicyEngine } from './policy-engine.ts';
import { blockOf, endpointOf, podOf, podsWith, policyOf } from './testing/objects.ts';
import { rulesText } from './testing/view-text.ts';

const SUBJECT = podOf('a/subject', ['10.0.0.1', 'fd00::1'], { labels: { app: 'subject' } });
const PODS: readonly PolicyPod[] = [
  SUBJECT,
  podOf('a/web', '10.0.0.2', { labels: { app: 'web' }, ports: [{ name: 'http', protocol: 'TCP', port: 8080 }] }),
  podOf('b/web', ['10.0.1.2', 'fd00::12'], {
    labels: { app: 'web' },
    ports: [{ name: 'http', protocol: 'TCP', port: 8081 }],
  }),
  podOf('b/db', '10.0.1.3', { labels: { app: 'db' }, ports: [{ name: 'http', protocol: 'UDP', port: 53 }] }),
];

function engineWith(policies: readonly NetworkPolicy[], pods: readonly PolicyPod[] = PODS): PolicyEngine {
  const engine = createPolicyEngine();
  engine.putNamespace({ name: 'a', labels: { team: 'red', 'kubernetes.io/metadata.name': 'a' } });
  engine.putNamespace({ name: 'b', labels: { team: 'blue', 'kubernetes.io/metadata.name': 'b' } });
  for (const pod of pods) engine.putPod(pod);
  engine.putEndpoint(endpointOf(SUBJECT));
  for (const policy of policies) engine.putPolicy(policy);
  engine.flush();
  return engine;
}

function outcome({ view }: PolicyEngine): { ingress?: readonly string[]; egress?: readonly string[] } {
  const endpoint = [...view.endpoints()].find(({ key }) => key === 'c-a-subject/eth0');
  const ingress = rulesText(view, endpoint?.ingress);
  const egress = rulesText(view, endpoint?.egress);
  return { ...(ingress && { ingress }), ...(egress && { egress }) };
}

const rule = (peers: PolicyRule['peers'], ports: PolicyRule['ports'] = 'any'): PolicyRule => ({
  index: 0,
  peers,
  ports,
});

describe('smoke', () => {
  test('a policy isolates', () => {
    const engine = engineWith([policyOf('a/p', { ingress: [rule([podsWith({ app: 'web' }, { team: 'blue' })])] })]);
    expect(outcome(engine)).toEqual({ ingress: ['{10.0.1.2 fd00::12} -> any'] });
    expect(blockOf('10.0.0.0/8')).toBeDefined();
  });
});
