/** Whatever fails and whoever meddles: once it is quiet, the kernel has what the engine says, and nothing else. */
import type { NetworkPolicy, PolicyEndpoint, PolicyPod } from '@canal/model';
import { createPolicyEngine } from '@canal/policy-compile';
import { createPrometheusMetrics } from '@canal/telemetry';
import { createCapturedLogger, createFakeClock } from '@canal/testing';
import * as fc from 'fast-check';
import { parseInterfaceName, parseIp, parseMac, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { createAgentMetrics } from './agent-metrics.ts';
import { RuleRunner } from './rule-runner.ts';
import { FakePolicyKernel } from './testing/fake-policy-kernel.ts';

const GUARD = { nodeAddresses: [], tunnelPorts: [8472], allowSample: 0 };
const small = fc.nat({ max: 3 });

type Step =
  | { readonly type: 'pod' | 'policy' | 'endpoint'; readonly number: number; readonly variant: number }
  | { readonly type: 'no-pod' | 'no-policy' | 'no-endpoint'; readonly number: number }
  | { readonly type: 'fail'; readonly operation: 'apply' | 'resync' | 'setGuard'; readonly times: number }
  | { readonly type: 'flush' }
  | { readonly type: 'wait'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ type: fc.constantFrom('pod', 'policy', 'endpoint'), number: small, variant: small }),
  fc.record({ type: fc.constantFrom('no-pod', 'no-policy', 'no-endpoint'), number: small }),
  fc.record({
    type: fc.constant('fail'),
    operation: fc.constantFrom('apply', 'resync', 'setGuard'),
    times: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record({ type: fc.constant('flush') }),
  fc.record({ type: fc.constant('wait'), ms: fc.constantFrom(0, 1, 50, 2_000) }),
);

function pod(number: number, variant: number): PolicyPod {
  return {
    namespace: 'default',
    name: `pod-${number}`,
    uid: `uid-${number}`,
    labels: { app: `app-${variant}` },
    addresses: [unwrap(parseIp(`10.244.1.${number + 1}`))],
    node: 'node-a',
    hostNetwork: false,
    completed: variant === 3,
    ports: [],
    createdMs: number,
  };
}

function policy(number: number, variant: number): NetworkPolicy {
  const app = (value: number) => [{ key: 'app', operator: 'In', values: [`app-${value}`] }] as const;
  return {
    namespace: 'default',
    name: `policy-${number}`,
    uid: '',
    podSelector: app(number),
    ingress: [
      { index: 0, peers: [{ type: 'pods', namespaces: 'own', pods: app(variant) }], ports: 'any' },
      { index: 1, peers: 'any', ports: [{ protocol: 'TCP', port: { first: 80, last: 80 + variant } }] },
    ],
    ...(variant === 2 && { egress: [] }),
    problems: [],
  };
}

function endpoint(number: number, variant: number): PolicyEndpoint {
  return {
    key: `c${number}/eth0`,
    pod: { namespace: 'default', name: `pod-${number}`, uid: variant === 3 ? 'another' : `uid-${number}` },
    hostInterface: unwrap(parseInterfaceName(`cnl${number}${variant}`)),
    mode: 'routed',
    addresses: [unwrap(parseIp(`10.244.1.${number + 1}`))],
    mac: unwrap(parseMac('0a:00:00:00:00:01')),
  };
}

function createUnderTest() {
  const clock = createFakeClock();
  const engine = createPolicyEngine();
  const kernel = new FakePolicyKernel();
  const runner = new RuleRunner(
    {
      engine,
      kernel,
      clock,
      log: createCapturedLogger(),
      metrics: createAgentMetrics(createPrometheusMetrics(), 'test'),
      timeMs: () => 0,
      settle: () => false,
      guard: () => GUARD,
      onFlushed: () => undefined,
      onApplied: () => undefined,
      onResynced: () => undefined,
    },
    { resyncIntervalMs: 30_000 },
  );
  engine.putNamespace({ name: 'default', labels: {} });
  const perform = async (step: Step): Promise<void> => {
    switch (step.type) {
      case 'pod':
        engine.putPod(pod(step.number, step.variant));
        break;
      case 'no-pod':
        engine.deletePod('default', `pod-${step.number}`);
        break;
      case 'policy':
        engine.putPolicy(policy(step.number, step.variant));
        break;
      case 'no-policy':
        engine.deletePolicy('default', `policy-${step.number}`);
        break;
      case 'endpoint':
        engine.putEndpoint(endpoint(step.number, step.variant));
        break;
      case 'no-endpoint':
        engine.deleteEndpoint(`c${step.number}/eth0`);
        break;
      case 'fail':
        kernel.failures[step.operation] = step.times;
        return;
      case 'flush':
        kernel.flush();
        runner.kernelChanged();
        return;
      case 'wait':
        await clock.advance(step.ms);
        return;
    }
    runner.changed(step.type);
  };
  return { clock, engine, kernel, runner, perform };
}

test('the kernel ends with what the engine says', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { clock, engine, kernel, runner, perform } = createUnderTest();
      const stop = new AbortController();
      const running = runner.run(stop.signal);
      runner.open();
      for (const one of steps) await perform(one);
      await clock.advance(20_000);
      stop.abort();
      await running;
      kernel.failures.resync = 0;
      // Nothing is left to flush, and nothing differs.
      expect(engine.flush()).toBeUndefined();
      expect(await kernel.resync(engine.view, GUARD)).toEqual({ writes: 0, differences: [] });
    }),
    { numRuns: 300 },
  );
}, 60_000);
