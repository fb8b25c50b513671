import type { AttachmentListing } from '@canal/node-state';
import type { Complaint } from '@canal/telemetry';
import { createCapturedLogger, createFakeClock } from '@canal/testing';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { AttachmentWatch } from './attachment-watch.ts';

test('records that cannot be listed are a problem that names the directory, until they can', async () => {
  const root = mkdtempSync(`${tmpdir()}/canal-records-`);
  const stop = new AbortController();
  const clock = createFakeClock();
  let failing = true;
  let open: readonly Complaint[] = [];
  let recorded = 0;
  const list = (): AttachmentListing => {
    if (failing) throw new Error('EIO: i/o error, scandir');
    return { attachments: [], unreadable: [] };
  };
  const watch = new AttachmentWatch({
    root,
    attachments: { list, directoryOf: () => root },
    listNetworks: () => [],
    endpoints: { setRecorded: () => (recorded += 1) },
    clock,
    log: createCapturedLogger(),
    problems: { update: (_, complaints) => void (open = complaints) },
  });
  const running = watch.run(stop.signal);
  try {
    await clock.advance(1);
    expect(open).toMatchObject([{ event: 'AttachmentUnreadable' }]);
    expect(open[0]?.message).toContain(`under ${root} cannot be listed: EIO`);
    expect(recorded).toBe(0);
    failing = false;
    await clock.advance(1_000);
    await watch.read;
    expect(open).toEqual([]);
    expect(recorded).toBe(1);
  } finally {
    stop.abort();
    await running;
    rmSync(root, { recursive: true });
  }
});
