import { describe, expect, test } from 'vitest';
import type { ContractContext } from './contract-context.ts';
import { ABSENT, ETH0, FLANNEL, NEIGHBOUR, over, route, VXLAN } from './objects.ts';

export function describeApply(context: ContractContext): void {
  describe('applying', () => {
    test('a refused operation stops none of the others; results stand in the order of operations', async () => {
      expect(
        await context.apply(
          { type: 'route-add', route: route('10.244.2.0/24', over('192.0.2.2', ETH0, false)) },
          { type: 'route-add', route: route('10.244.3.0/24', over('192.0.2.3', ABSENT, false)) },
          { type: 'neighbour-delete', neighbour: { ...NEIGHBOUR, link: ETH0 } },
          { type: 'route-add', route: route('10.244.4.0/24', over('192.0.2.4', ETH0, false)) },
        ),
      ).toEqual(['ok', 'ENODEV', 'ENOENT', 'ok']);
      expect((await context.snapshot()).routes).toHaveLength(2);
    });

    test('a refusal says why in words', async () => {
      const [result] = await context.kernel.apply([{ type: 'link-delete', name: ABSENT }]);
      expect(result).toMatchObject({ ok: false, error: { code: 'ENODEV' } });
      if (result?.ok === false) expect(result.error.message.length).toBeGreaterThan(5);
    });

    test('hundreds of operations', async () => {
      const many = Array.from({ length: 600 }, (_, index) =>
        route(`10.${100 + (index >> 8)}.${index & 255}.0/24`, over('192.0.2.2', ETH0, false)),
      );
      expect(
        new Set(await context.apply(...many.map((entry) => ({ type: 'route-add', route: entry }) as const))),
      ).toEqual(new Set(['ok']));
      expect((await context.snapshot()).routes).toHaveLength(600);
    });

    test('nothing at all', async () => {
      expect(await context.apply()).toEqual([]);
    });

    test('an aborted signal stops before anything is done', async () => {
      const signal = AbortSignal.abort(new Error('stop'));
      await expect(context.kernel.apply([{ type: 'link-add', link: VXLAN }], signal)).rejects.toThrow('stop');
      expect((await context.snapshot()).links.map((link) => link.name)).not.toContain(FLANNEL);
    });
  });
}
