import { describe, expect, test } from 'vitest';
import { chooseProgram, type Choice, type Invocation, type ProgramName } from './choose-program.ts';

const program = (name: ProgramName, ...args: string[]): Choice => ({ type: 'program', name, args });
const started = (given: Partial<Invocation>): Choice =>
  chooseProgram({ argv0: '/opt/cni/bin/canal', args: [], cniCommand: undefined, ...given });

describe('chooseProgram', () => {
  test.each<[string, Partial<Invocation>, Choice]>([
    ['a subcommand names the program and is taken off', { args: ['flanneld', '-v'] }, program('flanneld', '-v')],
    ['the command line by its subcommand', { args: ['canalctl', 'lab', 'up'] }, program('canalctl', 'lab', 'up')],
    ['the plugin by its subcommand', { args: ['cni'] }, program('cni')],
    ['a link names the program', { argv0: '/usr/bin/canalctl', args: ['lab'] }, program('canalctl', 'lab')],
    ['a link without a path', { argv0: 'flanneld', args: ['--version'] }, program('flanneld', '--version')],
    [
      "a link keeps an argument that is another program's name",
      { argv0: 'canalctl', args: ['cni'] },
      program('canalctl', 'cni'),
    ],
    ['the plugin that the installer links', { argv0: '/opt/cni/bin/loopback', cniCommand: 'ADD' }, program('loopback')],
    ['the policy agent', { args: ['policy-agent', '--v=4'] }, program('policy-agent', '--v=4')],
    ['the admin API', { args: ['admin-api', '--v=4'] }, program('admin-api', '--v=4')],
    ['the installer', { args: ['node-setup', 'install'] }, program('node-setup', 'install')],
    ["kubectl's plugin name", { argv0: '/usr/local/bin/kubectl-canal', args: [] }, program('canalctl')],
    ['a runtime sets CNI_COMMAND and gives no argument', { cniCommand: 'ADD' }, program('cni')],
    ['an unknown CNI_COMMAND is the plugin’s to refuse', { cniCommand: 'FROB' }, program('cni')],
    ['a subcommand wins over an inherited CNI_COMMAND', { args: ['flanneld'], cniCommand: 'ADD' }, program('flanneld')],
    ['a link wins over an inherited CNI_COMMAND', { argv0: 'canalctl', cniCommand: 'ADD' }, program('canalctl')],
    ['an empty CNI_COMMAND is none', { cniCommand: '' }, { type: 'help' }],
    ['nothing asked for', {}, { type: 'help' }],
    ['help', { args: ['--help'] }, { type: 'help' }],
    ['version', { args: ['--version'] }, { type: 'version' }],
    ['a word that is no program', { args: ['flaneld'] }, { type: 'unknown', word: 'flaneld' }],
    ['names of objects are no programs', { args: ['constructor'] }, { type: 'unknown', word: 'constructor' }],
  ])('%s', (_name, given, expected) => {
    expect(started(given)).toEqual(expected);
  });
});
