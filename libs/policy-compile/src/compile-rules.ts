/** Allow list to rules and what their sets hold. Rules are told with contents in place of set ids: naming them is not pure. */
import type { PortMatch } from '@canal/rules-ast';
import { type Cidr } from 'net-types';
import type { Allowance, AllowList } from './allow-list.ts';
import { type BlockPeer, outermostBlocks, type PodPeer } from './allow-peer.ts';
import { portsText } from './port-spans.ts';
import type { SetContent } from './set-content.ts';

export interface CompiledRule {
  readonly peer: CompiledPeer;
  readonly ports: 'any' | readonly PortMatch[];
}

/** As RulePeer: 'set' is of the type that the set's kind says. */
export type CompiledPeer =
  { readonly type: 'any' } | { readonly type: 'set'; readonly content: SetContent; readonly except?: SetContent };

/** Ports of a range that become members of a set; wider ranges stay with their rules. */
const WIDEST_EXPANDED = 64;

/** `flattenAbove`: see PolicyEngineOptions. */
export function compileRules(list: AllowList, flattenAbove: number): readonly CompiledRule[] {
  const alternatives = [() => list.flatMap(podRules), () => byPorts(list), () => byMembers(list)];
  const overPods = alternatives.reduce<readonly CompiledRule[] | undefined>(
    (found, next) => (found !== undefined && found.length <= flattenAbove ? found : next()),
    undefined,
  );
  return [...list.flatMap(anyPeerRules), ...(overPods ?? []), ...blockRules(list)];
}

function anyPeerRules({ peer, ports }: Allowance): CompiledRule[] {
  return peer.type === 'any' && ports.length > 0 ? [{ peer: { type: 'any' }, ports }] : [];
}

/** Rules over pods: of selectors, and of any peer's or block's ports by name, which are declared by pods. */
function podRules(allowance: Allowance): CompiledRule[] {
  const { peer, ports, names } = allowance;
  const byAddress: CompiledRule[] =
    peer.type === 'pods' && ports.length > 0
      ? [{ peer: { type: 'set', content: { kind: 'addresses', peers: [peer] } }, ports }]
      : [];
  const byName: CompiledRule[] =
    names.length > 0
      ? [
          {
            peer: { type: 'set', content: { kind: 'address-ports', allowances: [{ peer, ports: [], names }] } },
            ports: 'any',
          },
        ]
      : [];
  return [...byAddress, ...byName];
}

/** Blocks without exceptions share a set where their ports are equal; every other keeps its own pair of sets. */
function blockRules(list: AllowList): CompiledRule[] {
  const shared = new Map<string, { readonly ports: Allowance['ports']; readonly blocks: Cidr[] }>();
  const own: CompiledRule[] = [];
  for (const { peer, ports } of list) {
    if (peer.type !== 'block' || ports.length === 0) continue;
    if (peer.except.length > 0) {
      own.push({ peer: exceptPeer(peer), ports });
      continue;
    }
    const key = portsText(ports);
    const group = shared.get(key);
    if (group === undefined) shared.set(key, { ports, blocks: [peer.cidr] });
    else group.blocks.push(peer.cidr);
  }
  const together = [...shared.values()].map(({ ports, blocks }): CompiledRule => ({
    peer: { type: 'set', content: { kind: 'blocks', blocks: outermostBlocks(blocks) } },
    ports,
  }));
  return [...together, ...own];
}

function exceptPeer({ cidr, except }: BlockPeer): CompiledPeer {
  return {
    type: 'set',
    content: { kind: 'blocks', blocks: [cidr] },
    except: { kind: 'blocks', blocks: except },
  };
}

/** The same as all `podRules` together, in one rule for peers with equal ports and one for ports by name. */
function byPorts(list: AllowList): readonly CompiledRule[] {
  return rulesOf(
    list,
    list.filter(({ names }) => names.length > 0).map(({ peer, names }) => ({ peer, ports: [], names })),
  );
}

/** The same again; ports are members as far as they can be. */
function byMembers(list: AllowList): readonly CompiledRule[] {
  const exact = list.map(({ peer, ports, names }) => ({
    peer,
    ports: peer.type === 'pods' ? splitPorts(ports).members : [],
    names,
  }));
  return rulesOf(
    list.map((allowance) => ({ ...allowance, ports: splitPorts(allowance.ports).rest })),
    exact.filter(({ ports, names }) => ports.length > 0 || names.length > 0),
  );
}

/** A rule for each kind of ports that pods are allowed in `list`, and one for the members of `exact`. */
function rulesOf(list: AllowList, exact: AllowList): readonly CompiledRule[] {
  const groups = new Map<string, { readonly ports: Allowance['ports']; readonly peers: PodPeer[] }>();
  for (const { peer, ports } of list) {
    if (peer.type !== 'pods' || ports.length === 0) continue;
    const key = portsText(ports);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { ports, peers: [peer] });
    else group.peers.push(peer);
  }
  const rules = [...groups.values()].map(({ ports, peers }): CompiledRule => ({
    peer: { type: 'set', content: { kind: 'addresses', peers } },
    ports,
  }));
  if (exact.length === 0) return rules;
  return [
    ...rules,
    { peer: { type: 'set', content: { kind: 'address-ports', allowances: exact } }, ports: 'any' as const },
  ];
}

interface SplitPorts {
  readonly members: readonly PortMatch[];
  readonly rest: Allowance['ports'];
}

function splitPorts(ports: Allowance['ports']): SplitPorts {
  if (ports === 'any') return { members: [], rest: 'any' };
  const pick = (wanted: boolean): readonly PortMatch[] =>
    ports.flatMap(({ protocol, ranges }) => {
      if (ranges.length === 0) return wanted ? [] : [{ protocol, ranges }];
      const picked = ranges.filter(({ first, last }) => last - first < WIDEST_EXPANDED === wanted);
      return picked.length > 0 ? [{ protocol, ranges: picked }] : [];
    });
  return { members: pick(true), rest: pick(false) };
}
