import type { KubeObject } from '@canal/store-port';
import { describe, expect, test } from 'vitest';
import { conditionPatch } from './node-condition.ts';

const NOW = new Date('2026-01-02T03:04:05.678Z');
const READY = { type: 'Ready', status: 'True' };

function node(status: unknown): KubeObject {
  return { metadata: { name: 'a', resourceVersion: '7' }, status };
}

describe('the condition', () => {
  test('is written among those of others, against the version that was read', () => {
    expect(conditionPatch(node({ conditions: [READY] }), NOW)).toEqual({
      metadata: { resourceVersion: '7' },
      status: {
        conditions: [
          READY,
          {
            type: 'NetworkUnavailable',
            status: 'False',
            reason: 'FlannelIsUp',
            message: 'Flannel is running on this node',
            lastTransitionTime: '2026-01-02T03:04:05Z',
            lastHeartbeatTime: '2026-01-02T03:04:05Z',
          },
        ],
      },
    });
  });

  test('takes the place of one that says True', () => {
    const patch = conditionPatch(node({ conditions: [{ type: 'NetworkUnavailable', status: 'True' }, READY] }), NOW);
    expect(JSON.stringify(patch)).not.toContain('"status":"True","type":"NetworkUnavailable"');
    expect(patch).toMatchObject({ status: { conditions: [READY, { type: 'NetworkUnavailable', status: 'False' }] } });
  });

  test('that is there already is left alone', () => {
    expect(
      conditionPatch(node({ conditions: [{ type: 'NetworkUnavailable', status: 'False' }] }), NOW),
    ).toBeUndefined();
  });

  test.each([undefined, null, {}, { conditions: null }, { conditions: 'x' }])('status %o has none', (status) => {
    expect(conditionPatch(node(status), NOW)).toMatchObject({ status: { conditions: [{ status: 'False' }] } });
  });
});
