import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { describeApply } from './apply-contract.ts';
import { ContractContext } from './contract-context.ts';
import { describeDevices } from './device-contract.ts';
import { describeLinkEntries } from './link-entry-contract.ts';
import { describeMachine } from './machine-contract.ts';
import { describeMonitor } from './monitor-contract.ts';
import { SCOPE } from './objects.ts';
import type { MakeRig } from './rig.ts';
import { describeRoutes } from './route-contract.ts';

/**
 * What every NetworkKernel has to do, the real one and the fake alike: a fake that is not held to it would be a lie.
 * `make` gives a fresh machine as described at ContractRig.
 */
export function describeNetworkKernel(title: string, make: MakeRig): void {
  describe(title, () => {
    const context = new ContractContext();
    beforeEach(async () => {
      context.rig = await make();
    });
    afterEach(async () => {
      await context.dispose();
    });

    describeDevices(context);
    describeLinkEntries(context);
    describeRoutes(context);
    describeApply(context);
    describeMonitor(context);
    describeMachine(context);

    test('after close every call throws', async () => {
      const { kernel } = context;
      kernel.close();
      const closed = { name: 'KernelError', code: 'closed' };
      await expect(kernel.readSnapshot(SCOPE)).rejects.toMatchObject(closed);
      await expect(kernel.apply([])).rejects.toMatchObject(closed);
      await expect(kernel.features()).rejects.toMatchObject(closed);
    });
  });
}
