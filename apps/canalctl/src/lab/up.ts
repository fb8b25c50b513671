import { createLab, type LabSpec, pingMatrix } from '@canal/lab';
import { type CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import { safeJson } from '../printable.ts';
import { type LabFlags, labOptions, type OutputFlags, withProgress } from './lab-flags.ts';
import { matrixJson, statusJson } from './lab-json.ts';
import { renderNextSteps } from './next-steps.ts';
import { renderMatrix } from './render-matrix.ts';
import { renderStatus } from './render-status.ts';

export interface UpFlags extends LabFlags, OutputFlags {
  readonly nodes: number;
  readonly podsPerNode: number;
  readonly backend: 'vxlan' | 'host-gw';
  readonly directRouting?: true;
  readonly ipFamily: 'ipv4' | 'dual' | 'ipv6';
  readonly podMode: 'routed' | 'bridge';
  readonly policy: boolean;
  readonly segments?: number;
  readonly mtu: number;
}

export async function runUp(context: CommandContext, flags: UpFlags): Promise<void> {
  const { terminal, outcome, signal } = context;
  const { lab, status, matrix, seconds } = await withProgress(context, async (progress) => {
    const start = performance.now();
    const lab = await createLab(wantedSpec(flags), labOptions(context, flags, progress));
    progress.step('every pod pings every pod');
    const matrix = await pingMatrix(lab.pods(), { signal });
    const seconds = (performance.now() - start) / 1000;
    return { lab, matrix, status: await lab.status(), seconds };
  });
  if (!status.healthy || matrix.lost > 0) outcome.exitCode = EXIT.unhealthy;
  if (flags.output === 'json') {
    const { created, kubeconfig } = lab;
    terminal.out(
      `${safeJson({ created, seconds, kubeconfig, status: statusJson(status, lab.topology), ping: matrixJson(matrix) })}\n`,
    );
    return;
  }
  const nextSteps = renderNextSteps({
    command: process.env['CANAL_LAB_COMMAND'] ?? 'canalctl lab',
    lab: status.spec.name,
    kubeconfig: lab.kubeconfig,
    nodes: lab.nodes(),
    pods: lab.pods(),
  });
  terminal.out(renderStatus(status, lab.topology));
  terminal.out(`\n${renderMatrix(matrix)}`);
  terminal.out(`\n${lab.created ? 'up' : 'was up already; looked through'} in ${seconds.toFixed(1)} s. ${nextSteps}`);
}

function wantedSpec(flags: UpFlags): Partial<LabSpec> {
  return {
    name: flags.name,
    nodes: flags.nodes,
    podsPerNode: flags.podsPerNode,
    backend: flags.backend,
    directRouting: flags.directRouting ?? false,
    ipFamily: flags.ipFamily,
    podMode: flags.podMode,
    policy: flags.policy ? 'required' : 'off',
    mtuBytes: flags.mtu,
    ...(flags.segments !== undefined && { segments: flags.segments }),
  };
}
