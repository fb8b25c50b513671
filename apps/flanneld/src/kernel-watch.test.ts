import { FakeKernel } from '@canal/kernel-fake';
import type { KernelEvent, MonitorScope } from '@canal/kernel-port';
import { createCapturedLogger, createFakeClock, waitFor } from '@canal/testing';
import { createPrometheusMetrics } from '@canal/telemetry';
import type { OwnFamily } from '@canal/network-compile';
import { cidrsOverlap, formatCidr, type Ip, parseCidr, parseInterfaceName, parseIp, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import { createAgentMetrics } from './agent-metrics.ts';
import { KernelWatch } from './kernel-watch.ts';

function createWatch(kernel = new FakeKernel()): { readonly watch: KernelWatch; readonly kernel: FakeKernel } {
  const watch = new KernelWatch({
    kernel,
    clock: createFakeClock(),
    log: createCapturedLogger(),
    metrics: createAgentMetrics(createPrometheusMetrics(), 'test'),
    onChange: () => undefined,
  });
  return { watch, kernel };
}

/** What is listened to as long as nothing of this node is known. */
async function firstScope(): Promise<MonitorScope> {
  const scopes: MonitorScope[] = [];
  class Kernel extends FakeKernel {
    override monitor(scope: MonitorScope, signal: AbortSignal): AsyncGenerator<KernelEvent> {
      scopes.push(scope);
      return super.monitor(scope, signal);
    }
  }
  const stop = new AbortController();
  const { watch } = createWatch(new Kernel());
  const running = watch.run(stop.signal);
  const scope = await waitFor('the scope', () => scopes[0]);
  stop.abort();
  await running;
  return scope;
}

describe('underlay of peers', () => {
  const ip = (text: string): Ip => unwrap(parseIp(text));
  const eth0 = unwrap(parseInterfaceName('eth0'));
  const family: OwnFamily = {
    family: 4,
    link: eth0,
    linkMtuBytes: 1500,
    source: ip('192.0.2.1'),
    onLinkNetworks: [unwrap(parseCidr('192.0.2.0/24'))],
    publicIp: ip('192.0.2.1'),
    subnet: unwrap(parseCidr('10.244.1.0/24')),
  };
  const own = { node: { name: 'a', families: [family], ownAddresses: [] }, leases: [] };

  /** Scopes that were listened to after each of the following underlays, as far as there was a new one. */
  async function scopesAfter(...underlays: (readonly Ip[])[]): Promise<string[][]> {
    const scopes: MonitorScope[] = [];
    const { watch, kernel } = createWatch();
    kernel.monitor = (scope, signal) => {
      scopes.push(scope);
      return FakeKernel.prototype.monitor.call(kernel, scope, signal);
    };
    const stop = new AbortController();
    const running = watch.run(stop.signal);
    await waitFor('the first scope', () => scopes.length === 1);
    const seen: string[][] = [];
    for (const underlay of underlays) {
      const before = scopes.length;
      watch.follow({ own, underlay });
      // A restart is under way by then: it takes a few microtasks.
      for (let turn = 0; turn < 20 && scopes.length === before; turn++) await new Promise((done) => setImmediate(done));
      seen.push(scopes.length === before ? [] : (scopes.at(-1)?.networks ?? []).map(formatCidr));
    }
    stop.abort();
    await running;
    return seen;
  }

  test('routes around addresses outside the connected network are heard; a neighbour of such a one changes nothing', async () => {
    expect(
      await scopesAfter(
        [ip('192.0.2.2')],
        [ip('192.0.2.2'), ip('198.51.100.7')],
        [ip('192.0.2.3'), ip('198.51.100.7'), ip('198.51.100.8')],
        [],
      ),
    ).toEqual([['192.0.2.0/24'], ['192.0.2.0/24', '198.51.100.0/24'], [], ['192.0.2.0/24']]);
  });

  test('many scattered addresses are heard of by fewer and wider blocks', async () => {
    const scattered = Array.from({ length: 200 }, (_, n) => ip(`172.16.${n}.1`));
    expect(await scopesAfter(scattered)).toEqual([['192.0.2.0/24', '172.16.0.0/16']]);
  });
});

test('before the node is decided every route is heard: the one that is waited for is the default route', async () => {
  const { networks } = await firstScope();
  for (const text of ['0.0.0.0/0', '::/0', '192.0.2.0/24']) {
    expect(networks.some((network) => cidrsOverlap(network, unwrap(parseCidr(text))))).toBe(true);
  }
});

test('neighbours count on devices of ours alone: on others they change all the time by themselves', async () => {
  const { links } = await firstScope();
  const heard = ['flannel.1', 'flannel-v6.1', 'cnl0123456789a', 'eth0', 'cni0', 'docker0'].filter((name) =>
    links(unwrap(parseInterfaceName(name))),
  );
  expect(heard).toEqual(['flannel.1', 'flannel-v6.1', 'cnl0123456789a']);
});
