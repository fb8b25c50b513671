import { expect, test } from 'vitest';
import { parseUninstallReport, UNINSTALL_REPORT_KIND, type UninstallReport } from './uninstall-report.ts';

const REPORT: UninstallReport = {
  kind: UNINSTALL_REPORT_KIND,
  dryRun: true,
  pods: [{ containerId: 'c1' }, { containerId: 'c2', pod: 'default/web' }],
  objects: [
    { kind: 'network', name: 'link delete flannel.1', outcome: 'would-remove' },
    { kind: 'cni-config', name: '/etc/cni/net.d/05-x.conf', outcome: 'left', note: 'of another CNI' },
  ],
  remaining: ['x'],
};

test('read as it was written', () => {
  expect(parseUninstallReport(JSON.parse(JSON.stringify(REPORT)))).toEqual(REPORT);
});

test.each([undefined, null, 'x', [], {}, { kind: 'Pod' }])('no report: %j', (json) => {
  expect(parseUninstallReport(json)).toBeUndefined();
});

test('what another version says is taken as far as it is understood', () => {
  const json = {
    kind: UNINSTALL_REPORT_KIND,
    pods: 5,
    objects: [null, { kind: 'new', name: 'n' }, { kind: 'new', name: 'n', outcome: 'vaporised', more: 1 }],
    remaining: ['x', 7],
  };
  expect(parseUninstallReport(json)).toEqual({
    kind: UNINSTALL_REPORT_KIND,
    dryRun: false,
    pods: [],
    objects: [{ kind: 'new', name: 'n', outcome: 'failed', note: 'unknown outcome "vaporised"' }],
    remaining: ['x'],
  });
});
