import type { RuleEndpoint } from '@canal/rules-ast';

export function sameEndpoint(a: RuleEndpoint, b: RuleEndpoint): boolean {
  return (
    a.key === b.key &&
    a.hostInterface === b.hostInterface &&
    a.mode === b.mode &&
    a.mac === b.mac &&
    a.ingress === b.ingress &&
    a.egress === b.egress &&
    a.addresses.length === b.addresses.length &&
    a.addresses.every((ip, index) => ip === b.addresses[index])
  );
}
