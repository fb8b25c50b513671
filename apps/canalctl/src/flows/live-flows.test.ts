import type { Flow } from '@canal/admin-client';
import { expect, test } from 'vitest';
import { frameOf, LiveFlows } from './live-flows.ts';

const SECOND_MS = 1_000;

function flow(port: number, second: number, lost = 0): Flow {
  return {
    node: 'n1',
    time: new Date(second * SECOND_MS).toISOString(),
    verdict: port === 1 ? 'deny' : 'allow',
    reason: 'x',
    source: { address: '10.0.0.1', port: 1_000 + second },
    destination: { address: '10.0.0.2', port },
    protocol: 'TCP',
    lost,
  };
}

/** Lines as they are seen. */
function seen(flows: LiveFlows, columns: number, rows: number): readonly string[] {
  return frameOf(flows, { columns, rows }, false)
    .split('\n')
    .map((line) => line.replaceAll(/\u001b\[[0-9;]*[A-Za-z]/g, ''));
}

test('flows that are alike are one line, the newest on top; the sum tells what is lost', () => {
  const flows = new LiveFlows();
  for (const one of [flow(1, 0), flow(2, 1), flow(1, 2, 3), flow(1, 1)]) flows.add(one);
  flows.resyncs++;
  expect(seen(flows, 200, 24)).toEqual([
    'LAST      COUNT  VERDICT  REASON  SOURCE    DESTINATION  PROTO/PORT  RULE',
    '00:00:02  3      deny     x       10.0.0.1  10.0.0.2     TCP/1       -',
    '00:00:01  1      allow    x       10.0.0.1  10.0.0.2     TCP/2       -',
    '4 flows of 2 kinds; 3 lost before they were told; 1 times some may have been missed; Ctrl-C ends',
  ]);
});

test.each([
  [40, 5],
  [1, 2],
  [10, 1],
])('%i columns and %i rows are never more', (columns, rows) => {
  const flows = new LiveFlows();
  for (let port = 1; port < 100; port++) flows.add(flow(port, port));
  const lines = seen(flows, columns, rows);
  expect(lines).toHaveLength(rows);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
});

test('a denied flow is red, and colours end with the line', () => {
  const flows = new LiveFlows();
  flows.add(flow(1, 0));
  const [, line] = frameOf(flows, { columns: 20, rows: 5 }, true).split('\n');
  expect(line).toBe('\u001b[31m00:00:00  1      den\u001b[0m\u001b[K');
});

test('kinds are forgotten before memory is short', () => {
  const flows = new LiveFlows();
  for (let port = 1; port <= 20_000; port++) flows.add(flow(port, 1));
  expect(flows.newest(50_000)).toHaveLength(10_000);
  expect(flows.newest(1)[0]?.cells).toContain('TCP/20000');
});
