/**
 * What must be known of a lab by commands that did not make it. It is written before the first thing is made, so that
 * whatever a killed command leaves behind can be found.
 */
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { readBootId, writeFileAtomic } from '@canal/node-state';
import { booleanField, field, listField, numberField, readJson, stringField, unlessMissing } from './json-file.ts';
import { type LabPaths } from './lab-paths.ts';
import { isLabel, isLabName, type LabFamily, type LabSpec, MAX_NODES, parseLabSpec } from './lab-spec.ts';
import { type NodePlan, planNode } from './topology.ts';

export interface LabState {
  /** 128 random bits: marks the lab's processes. */
  readonly id: string;
  readonly bootId: string;
  readonly spec: LabSpec;
  /** `building` until `up` has come to its end once. */
  readonly phase: 'building' | 'ready';
  readonly nodes: readonly NodePlan[];
}

export function newLabState(spec: LabSpec, nodes: readonly NodePlan[]): LabState {
  return { id: randomBytes(16).toString('hex'), bootId: readBootId(), spec, phase: 'building', nodes };
}

export function writeLabState(paths: LabPaths, state: LabState): void {
  const nodes = state.nodes.map(({ name, number, segment }) => ({ name, number, segment }));
  const text = JSON.stringify({ version: 1, ...state, nodes }, null, 2);
  writeFileAtomic(paths.root, 'lab.json', `${text}\n`, { mode: 0o600, survives: 'process' });
}

/** Undefined when there is no state, or none that this program can read. */
export function readLabState(paths: LabPaths): LabState | undefined {
  const value = readJson(paths.state);
  const [id, bootId, phase] = [stringField(value, 'id'), stringField(value, 'bootId'), stringField(value, 'phase')];
  const spec = readSpec(field(value, 'spec'));
  if (!id || !bootId || spec === undefined || (phase !== 'building' && phase !== 'ready')) return undefined;
  const nodes = listField(value, 'nodes').map((node) => readNode(spec, node));
  const known = nodes.filter((node) => node !== undefined);
  return known.length === nodes.length ? { id, bootId, spec, phase, nodes: known } : undefined;
}

/** What marks the lab's processes, also of a lab whose state is another version's. */
export function readLabId(paths: LabPaths): string | undefined {
  return stringField(readJson(paths.state), 'id') || undefined;
}

function readSpec(value: unknown): LabSpec | undefined {
  const [name, nodes, podsPerNode] = [
    stringField(value, 'name'),
    numberField(value, 'nodes'),
    numberField(value, 'podsPerNode'),
  ];
  const [backend, podMode, ipFamily] = ['backend', 'podMode', 'ipFamily'].map((one) => stringField(value, one));
  const policy = stringField(value, 'policy');
  const [segments, mtuBytes] = [numberField(value, 'segments'), numberField(value, 'mtuBytes')];
  const directRouting = booleanField(value, 'directRouting');
  if (name === undefined || nodes === undefined || podsPerNode === undefined || directRouting === undefined) return;
  if (segments === undefined || mtuBytes === undefined) return undefined;
  if (!isBackend(backend) || !isPodMode(podMode) || !isFamily(ipFamily) || !isPolicy(policy)) return undefined;
  const parsed = parseLabSpec({
    name,
    nodes,
    podsPerNode,
    backend,
    directRouting,
    ipFamily,
    podMode,
    policy,
    segments,
    mtuBytes,
  });
  return parsed.ok ? parsed.value : undefined;
}

function readNode(spec: LabSpec, value: unknown): NodePlan | undefined {
  const [name, number, segment] = [
    stringField(value, 'name'),
    numberField(value, 'number'),
    numberField(value, 'segment'),
  ];
  if (name === undefined || number === undefined || segment === undefined || !isLabel(name)) return undefined;
  if (number < 1 || number > MAX_NODES || segment < 1 || segment > spec.segments) return undefined;
  return planNode(spec, { name, number, segment });
}

export function isBackend(text: string | undefined): text is LabSpec['backend'] {
  return text === 'vxlan' || text === 'host-gw';
}

export function isPodMode(text: string | undefined): text is LabSpec['podMode'] {
  return text === 'routed' || text === 'bridge';
}

function isPolicy(text: string | undefined): text is LabSpec['policy'] {
  return text === 'required' || text === 'off';
}

export function isFamily(text: string | undefined): text is LabFamily {
  return text === 'ipv4' || text === 'dual' || text === 'ipv6';
}

/** Names of the labs that have files on this machine, whole or not. */
export function listLabNames(stateRoot: string): readonly string[] {
  return (unlessMissing(() => readdirSync(stateRoot)) ?? []).filter(isLabName).sort();
}
