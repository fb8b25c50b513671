import type { VerdictRecord } from '@canal/kernel-port';
import { type Ip, parseIp, unwrap } from 'net-types';
import { type Conntrack, conntrackTuple } from 'netlink-ts';
import { expect, test } from 'vitest';
import { withTrueEnds } from './cut-record.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));
const [CLIENT, SERVICE, POD, NODE] = [ip('10.0.0.1'), ip('10.96.0.10'), ip('10.0.1.5'), ip('192.0.2.1')];
const TCP = 6;

function record(source: Ip, sourcePort: number, destination: Ip, destinationPort: number): VerdictRecord {
  return {
    reason: 'cut',
    timeMs: 1,
    family: 4,
    source,
    sourcePort,
    destination,
    destinationPort,
    protocol: TCP,
    lost: 0,
  };
}

/** From the client to a Service, of which DNAT made a pod, and masquerade the node of the client. */
const ENTRY = {
  family: 2,
  original: conntrackTuple(CLIENT, SERVICE, { number: TCP, sourcePort: 4000, destinationPort: 80 }),
  reply: conntrackTuple(POD, NODE, { number: TCP, sourcePort: 8080, destinationPort: 61_000 }),
} as Conntrack;

test('a packet of the client is for the pod that the Service has chosen', () => {
  expect(withTrueEnds(record(CLIENT, 4000, SERVICE, 80), () => ENTRY)).toEqual(record(CLIENT, 4000, POD, 8080));
});

test('a packet of the pod is for the client itself', () => {
  expect(withTrueEnds(record(POD, 8080, NODE, 61_000), () => ENTRY)).toEqual(record(POD, 8080, CLIENT, 4000));
});

test('what is asked for is the tuple of the packet; of a flow that is gone, and without ports, nothing changes', () => {
  const asked: unknown[] = [];
  const told = record(CLIENT, 4000, SERVICE, 80);
  const find = (tuple: unknown): undefined => void asked.push(tuple);
  expect(withTrueEnds(told, find)).toBe(told);
  expect(asked).toEqual([ENTRY.original]);
  const { destinationPort: _, ...echo } = told;
  expect(withTrueEnds(echo, () => ENTRY)).toBe(echo);
});
