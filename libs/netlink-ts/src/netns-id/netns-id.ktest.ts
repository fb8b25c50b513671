import { closeSync, openSync } from 'node:fs';
import { createTestNetns } from '@canal/testing';
import { expect, test } from 'vitest';
import { isExists } from '../connection/netlink-error.ts';
import { getNetnsId, listNetnsIds, newNetnsId } from './requests.ts';

test('namespaces get numbers, chosen or not, and are found by them', () => {
  using here = createTestNetns('here');
  using there = createTestNetns('there');
  using elsewhere = createTestNetns('elsewhere');
  const { netlink } = here;
  const [fd, second] = [openSync(there.path, 'r'), openSync(elsewhere.path, 'r')];
  try {
    expect(getNetnsId(netlink, { fd })).toBeUndefined();
    netlink.execute(newNetnsId({ fd, nsid: 77 }));
    netlink.execute(newNetnsId({ fd: second }));
    expect(getNetnsId(netlink, { fd })).toBe(77);
    expect(here.run(['ip', 'netns', 'list-id'])).toContain('nsid 77');
    const numbers = listNetnsIds(netlink).map(({ nsid }) => nsid);
    expect(numbers).toContain(77);
    expect(numbers).toContain(getNetnsId(netlink, { fd: second }));
    expect(numbers).toHaveLength(2);
    expect(() => netlink.execute(newNetnsId({ fd, nsid: 78 }))).toThrow(expect.toSatisfy(isExists));
  } finally {
    closeSync(fd);
    closeSync(second);
  }
});
