/** Questions to agents that change nothing, as lines. Fields that are not known are passed over. */
import { Fields, parseJson, readFields } from '@canal/cni-spec';
import { err, type Result } from 'net-types';
import type { NetworkQuestion, PolicyQuestion } from './node-messages.ts';
import { decodeRequest } from './request-codec.ts';

/** The error names field, value and what was expected. */
export function decodeNetworkQuestion(line: string): Result<NetworkQuestion, string> {
  const json = parseJson(line);
  if (!json.ok) return err(`request: not JSON: ${json.error}`);
  return readFields(() => {
    const fields = Fields.of(json.value, 'request');
    const op = fields.string('op');
    switch (op) {
      case 'network-status':
      case 'peers':
      case 'addresses':
        return { op };
      default:
        return fields.fail('op', 'network-status, peers or addresses');
    }
  });
}

/** As decodeRequest, without what would change anything. */
export function decodePolicyQuestion(line: string): Result<PolicyQuestion, string> {
  const request = decodeRequest(line);
  if (!request.ok) return request;
  const { value } = request;
  if (value.op !== 'add-endpoint' && value.op !== 'delete-endpoint') return { ok: true, value };
  return err(
    `request.op: "${value.op}": expected status, endpoints, policies, counters, explain or flows: nothing is changed here`,
  );
}
