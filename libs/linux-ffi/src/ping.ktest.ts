import { connectNetns, createTestNetns } from '@canal/testing';
import { formatIp, parseIp, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { ping } from './ping.ts';

const ip = (text: string) => unwrap(parseIp(text));

test.each(['10.0.0.2', 'fd00::2'])('%s answers, and the address of the answer is told', async (target) => {
  using a = createTestNetns('a');
  using b = createTestNetns('b');
  connectNetns(
    { netns: a, name: 'v', addresses: ['10.0.0.1/24', 'fd00::1/64'] },
    { netns: b, name: 'v', addresses: ['10.0.0.2/24', 'fd00::2/64'] },
  );
  const result = await ping({ to: ip(target), netns: a.path });
  expect(result).toMatchObject({ ok: true });
  expect(result.ok && result.from !== undefined && formatIp(result.from)).toBe(target);
  expect(result.ok && result.rttMs).toBeLessThan(1000);
});

test('without a route the errno is the result', async () => {
  using a = createTestNetns('a');
  expect(await ping({ to: ip('192.0.2.1'), netns: a.path })).toEqual({ ok: false, reason: 'ENETUNREACH' });
});

test.each([
  { target: '192.0.2.9', route: '192.0.2.0/24', via: '10.0.0.2', reason: 'unreachable (code 0)' },
  { target: '2001:db8::9', route: '2001:db8::/32', via: 'fd00::2', reason: 'unreachable (code 0)' },
])('a router that knows no way to $target says so', async ({ target, route, via, reason }) => {
  using a = createTestNetns('a');
  using b = createTestNetns('b');
  connectNetns(
    { netns: a, name: 'v', addresses: ['10.0.0.1/24', 'fd00::1/64'] },
    { netns: b, name: 'v', addresses: ['10.0.0.2/24', 'fd00::2/64'] },
  );
  b.run(['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
  a.run(['ip', 'route', 'add', route, 'via', via]);
  expect(await ping({ to: ip(target), netns: a.path })).toEqual({ ok: false, reason });
});

test('a device without an address to send from is a result, not a fault', async () => {
  using a = createTestNetns('a');
  a.run(['ip', 'link', 'set', 'lo', 'down']);
  a.run(['ip', 'link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1']);
  for (const end of ['v0', 'v1']) a.run(['ip', 'link', 'set', end, 'up', 'addrgenmode', 'none']);
  a.run(['ip', 'route', 'add', '2001:db8::/32', 'dev', 'v0']);
  expect(await ping({ to: ip('2001:db8::9'), netns: a.path })).toEqual({ ok: false, reason: 'EADDRNOTAVAIL' });
});

test('silence is a timeout', async () => {
  using a = createTestNetns('a');
  using b = createTestNetns('b');
  connectNetns(
    { netns: a, name: 'v', addresses: ['10.0.0.1/24'] },
    { netns: b, name: 'v', addresses: ['10.0.0.2/24'] },
  );
  b.run(['sysctl', '-qw', 'net.ipv4.icmp_echo_ignore_all=1']);
  expect(await ping({ to: ip('10.0.0.2'), netns: a.path, timeoutMs: 50 })).toEqual({ ok: false, reason: 'timeout' });
});

test.each(['10.0.0.2', 'fd00::2'])('dontFragment finds the largest packet to %s', async (target) => {
  using a = createTestNetns('a');
  using b = createTestNetns('b');
  connectNetns(
    { netns: a, name: 'v', addresses: ['10.0.0.1/24', 'fd00::1/64'] },
    { netns: b, name: 'v', addresses: ['10.0.0.2/24', 'fd00::2/64'] },
    { mtu: 1400 },
  );
  const headers = target.includes(':') ? 48 : 28;
  const send = (payloadBytes: number) => ping({ to: ip(target), netns: a.path, payloadBytes, dontFragment: true });
  expect(await send(1400 - headers)).toMatchObject({ ok: true });
  expect(await send(1401 - headers)).toEqual({ ok: false, reason: 'EMSGSIZE' });
  expect(await ping({ to: ip(target), netns: a.path, payloadBytes: 1401 - headers })).toMatchObject({ ok: true });
});

test('an aborted ping rejects with the reason', async () => {
  using a = createTestNetns('a');
  a.run(['ip', 'route', 'add', 'default', 'dev', 'lo']);
  await expect(
    ping({ to: ip('192.0.2.1'), netns: a.path, timeoutMs: 10_000, signal: AbortSignal.timeout(20) }),
  ).rejects.toThrow();
});
