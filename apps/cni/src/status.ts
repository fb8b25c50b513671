import { CNI_ERROR } from '@canal/cni-spec';
import { readBootId } from '@canal/node-state';
import { nodeSubnetOf } from './node-subnet.ts';
import { requireReadyAgent } from './policy-agent.ts';
import { type PluginRequest, readCurrentSubnet } from './request.ts';

/** STATUS: could an ADD be served? Code 50 when not. Runtimes ask every few seconds: one file, one question. */
export function status(request: PluginRequest): void {
  nodeSubnetOf(readCurrentSubnet(request, readBootId(), CNI_ERROR.notAvailable), CNI_ERROR.notAvailable);
  requireReadyAgent(request);
}
