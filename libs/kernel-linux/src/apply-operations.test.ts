import type { DesiredSysctl, NetworkOperation } from '@canal/model';
import { type InterfaceName, parseCidr, parseInterfaceName, unwrap } from 'net-types';
import { errnoNumber, type NetlinkConnection, NetlinkError, type NetlinkRequest } from 'netlink-ts';
import { describe, expect, test } from 'vitest';
import { type ApplyDeps, applyOperations } from './apply-operations.ts';

/** A kernel that refuses what the test says, and keeps the sizes of the batches it is given. */
class Rig {
  readonly batches: string[][] = [];
  readonly written: DesiredSysctl[] = [];
  nowMs = 0;
  pauses = 0;
  msPerRequest = 0;
  refuse: (request: NetlinkRequest, batch: number) => string | undefined = () => undefined;

  get deps(): ApplyDeps {
    return {
      connection: this.#connection(),
      writeSysctl: (sysctl) => this.written.push(sysctl),
      nowMs: () => this.nowMs,
      pause: () => {
        this.pauses++;
        return Promise.resolve();
      },
    };
  }

  #connection(): NetlinkConnection {
    const unused = (): never => {
      throw new Error('not asked for in these tests');
    };
    return {
      execute: unused,
      get: unused,
      exchange: unused,
      dump: () => [],
      limits: { sendBufferBytes: 0, receiveBufferBytes: 0 },
      batch: (requests) => {
        this.batches.push(requests.map(({ operation }) => operation));
        this.nowMs += requests.length * this.msPerRequest;
        return requests.map((request) => {
          const code = this.refuse(request, this.batches.length);
          return code === undefined
            ? undefined
            : new NetlinkError({ operation: request.operation, errno: errnoNumber(code) });
        });
      },
      [Symbol.dispose]: () => undefined,
    };
  }
}

function blackhole(number: number): NetworkOperation {
  const destination = unwrap(parseCidr(`10.${number >> 8}.${number & 255}.0/24`));
  return { type: 'route-add', route: { protocol: 203, destination, metric: 0, target: { type: 'blackhole' } } };
}

const many = (count: number): NetworkOperation[] => Array.from({ length: count }, (_, number) => blackhole(number));
const link = (name: string): InterfaceName => unwrap(parseInterfaceName(name));

describe('batches', () => {
  test('grow while they are quick, and others are let in between two of them', async () => {
    const rig = new Rig();
    rig.msPerRequest = 0.001;
    const results = await applyOperations(rig.deps, many(3000), undefined);
    expect(results).toHaveLength(3000);
    expect(rig.batches.map((batch) => batch.length)).toEqual([64, 128, 256, 512, 1024, 1016]);
    expect(rig.pauses).toBe(rig.batches.length - 1);
  });

  test('shrink to what fits into five milliseconds when an operation gets dear', async () => {
    const rig = new Rig();
    rig.msPerRequest = 0.25;
    await applyOperations(rig.deps, many(500), undefined);
    expect(rig.batches[1]?.length).toBe(20);
    expect(Math.max(...rig.batches.slice(1).map((batch) => batch.length)) * rig.msPerRequest).toBeLessThanOrEqual(5);
  });

  test('an abort between two batches ends it with the reason', async () => {
    const rig = new Rig();
    const stop = new AbortController();
    const deps: ApplyDeps = {
      ...rig.deps,
      pause: () => {
        stop.abort(new Error('shutting down'));
        return Promise.resolve();
      },
    };
    await expect(applyOperations(deps, many(200), stop.signal)).rejects.toThrow('shutting down');
    expect(rig.batches).toHaveLength(1);
  });
});

describe('refusals', () => {
  test('stand at the place of their operation', async () => {
    const rig = new Rig();
    rig.refuse = (_request, batch) => (batch === 1 ? 'EEXIST' : undefined);
    const results = await applyOperations(rig.deps, [blackhole(1)], undefined);
    expect(results).toMatchObject([{ ok: false, error: { code: 'EEXIST' } }]);
  });

  test.each(['EINTR', 'EAGAIN', 'ENOBUFS', 'ENOMEM'])('%s is tried once more at once', async (code) => {
    const rig = new Rig();
    rig.refuse = (_request, batch) => (batch === 1 ? code : undefined);
    expect(await applyOperations(rig.deps, many(3), undefined)).toEqual([{ ok: true }, { ok: true }, { ok: true }]);
    expect(rig.batches.map((batch) => batch.length)).toEqual([3, 3]);
  });

  test('the second refusal stays', async () => {
    const rig = new Rig();
    rig.refuse = () => 'EINTR';
    expect(await applyOperations(rig.deps, many(1), undefined)).toMatchObject([
      { ok: false, error: { code: 'EINTR' } },
    ]);
  });

  test('a device that is not there refuses its operation before the kernel is asked', async () => {
    const rig = new Rig();
    const operations: NetworkOperation[] = [{ type: 'link-delete', name: link('absent0') }, blackhole(1)];
    expect(await applyOperations(rig.deps, operations, undefined)).toMatchObject([
      { ok: false, error: { code: 'ENODEV', message: 'there is no device absent0' } },
      { ok: true },
    ]);
  });
});

test('switches of conf/all and of IPv6 are written as files, and a file that cannot be written is a refusal', async () => {
  const rig = new Rig();
  const sysctl = { link: 'all', family: 4, name: 'forwarding', value: 1, enforce: true } as const;
  expect(await applyOperations(rig.deps, [{ type: 'sysctl-set', sysctl }], undefined)).toEqual([{ ok: true }]);
  expect(rig.written).toEqual([sysctl]);
  const readOnly: ApplyDeps = {
    ...rig.deps,
    writeSysctl: () => {
      throw Object.assign(new Error('read-only file system'), { code: 'EROFS' });
    },
  };
  expect(await applyOperations(readOnly, [{ type: 'sysctl-set', sysctl }], undefined)).toMatchObject([
    { ok: false, error: { code: 'EROFS' } },
  ]);
});
