import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseContainerId, parseNetworkName } from '@canal/cni-spec';
import type { Attachment } from '@canal/model';
import { parseInterfaceAddress, parseInterfaceName, parseIp, parseMac, unwrap } from 'net-types';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatAttachment } from './attachment-record.ts';
import { createAttachmentStore } from './attachment-store.ts';

const CANAL = unwrap(parseNetworkName('canal'));
const KEY = { containerId: unwrap(parseContainerId('c1')), containerInterface: unwrap(parseInterfaceName('eth0')) };
const OTHER = { ...KEY, containerId: unwrap(parseContainerId('c2')) };

const ATTACHMENT: Attachment = {
  network: 'canal',
  containerId: 'c1',
  containerInterface: KEY.containerInterface,
  netns: '/var/run/netns/cni-1',
  mode: 'routed',
  hostInterface: unwrap(parseInterfaceName('cnl0123456789a')),
  hostMac: unwrap(parseMac('0a:00:00:00:00:01')),
  containerMac: unwrap(parseMac('0a:00:00:00:00:02')),
  addresses: ['10.244.1.5/32', 'fd00:10:244:1::5/128'].map((text) => unwrap(parseInterfaceAddress(text))),
  gateways: ['169.254.1.1', 'fe80::1'].map((text) => unwrap(parseIp(text))),
  mtuBytes: 1450,
  bootId: '0a3b2f5e-1111-4222-8333-444455556666',
  pod: { namespace: 'default', name: 'web', uid: '7' },
};

let stateDir = '';
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'canal-attachments-'));
});
afterEach(() => {
  rmSync(stateDir, { recursive: true });
});

test('a record is read back as it was written, from a private file in a directory made for it', () => {
  const store = createAttachmentStore(stateDir);
  store.write(CANAL, KEY, ATTACHMENT);
  expect(store.read(CANAL, KEY)).toEqual(ATTACHMENT);
  expect(store.list()).toEqual({ attachments: [ATTACHMENT], unreadable: [] });
  expect(store.list(CANAL).attachments).toHaveLength(1);
  const file = join(stateDir, 'attachments/canal/c1:eth0.json');
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('what is not there is undefined, an empty list, and false', () => {
  const store = createAttachmentStore(join(stateDir, 'not/yet'));
  expect(store.read(CANAL, KEY)).toBeUndefined();
  expect(store.list()).toEqual({ attachments: [], unreadable: [] });
  expect(store.remove(CANAL, KEY)).toBe(false);
});

test('remove deletes one record and leaves the others', () => {
  const store = createAttachmentStore(stateDir);
  store.write(CANAL, KEY, ATTACHMENT);
  store.write(CANAL, OTHER, { ...ATTACHMENT, containerId: 'c2' });
  expect(store.remove(CANAL, KEY)).toBe(true);
  expect(store.list().attachments.map((attachment) => attachment.containerId)).toEqual(['c2']);
});

test('torn, foreign and misnamed records are reported beside the good ones, with their key when the name has one', () => {
  const store = createAttachmentStore(stateDir);
  store.write(CANAL, KEY, ATTACHMENT);
  const directory = store.directoryOf(CANAL);
  writeFileSync(join(directory, 'c2:eth0.json'), '');
  writeFileSync(join(directory, 'c3:eth0.json'), formatAttachment(ATTACHMENT));
  writeFileSync(join(directory, '..:eth0.json'), 'x');
  writeFileSync(join(directory, 'README'), 'not a record');
  mkdirSync(join(stateDir, 'attachments/.hidden'));
  const { attachments, unreadable } = store.list();
  expect(attachments).toEqual([ATTACHMENT]);
  expect(unreadable.map(({ key, problem }) => [key?.containerId, problem.slice(0, 13)])).toEqual([
    ['c2', 'not JSON: JSO'],
    ['c3', 'the record is'],
  ]);
});

test('temporary files of killed writers are no records and can be cleared', () => {
  const store = createAttachmentStore(stateDir);
  store.write(CANAL, KEY, ATTACHMENT);
  writeFileSync(join(store.directoryOf(CANAL), '.canal-tmp-99-c9:eth0.json'), '{');
  expect(store.list().unreadable).toEqual([]);
  store.removeTemporaries(CANAL);
  expect(readdirSync(store.directoryOf(CANAL))).toEqual(['c1:eth0.json']);
});
