/**
 * `npm test`: installs what is missing and passes every test. Pure tests come from Nx's cache when nothing changed;
 * real-kernel tests always run. `--pure` leaves the kernel out; other arguments narrow the kernel tests to paths.
 * Ends with what failed, a block each, and one line "N passed, N failed, N skipped".
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { buildBinary, bun, fail, installPackages, installTestTools, isRoot, root, run, step } from './setup.mjs';

const pureOnly = process.argv.includes('--pure');
const paths = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const results = join(root, 'dist', 'test-results');
const counts = { passed: 0, failed: 0, skipped: 0 };
/** Told again at the end: a run prints thousands of lines after the one that says it. */
const failures = [];

if (!pureOnly && !isRoot())
  fail('real-kernel tests need root: run "sudo npm test", or "npm test -- --pure" for the rest');
installPackages();
rmSync(results, { recursive: true, force: true });
mkdirSync(results, { recursive: true });
const TIMED = '.timed.ktest.ts';
let status = 0;

if (paths.length === 0) {
  step('pure tests');
  status |= run('node_modules/.bin/nx', ['run-many', '-t', 'test', '--output-style=static']);
  for (const file of readdirSync(results)) count(join(results, file));
}
if (!pureOnly) {
  installTestTools();
  step('building dist/canal');
  buildBinary();
  step('real-kernel tests');
  const before = counts.passed;
  if (paths.length > 0) testKernel('kernel', paths);
  else {
    testKernel('kernel', ['--exclude', `**/*${TIMED}`]);
    // What holds times: beside others it would measure them.
    testKernel('kernel-timed', [TIMED, '--maxWorkers=1']);
  }
  if (counts.passed === before) {
    process.stderr.write('canal: no real-kernel test passed: that is a failure, not a skip\n');
    status |= 1;
  }
}
for (const failure of failures) process.stdout.write(`\nFAILED ${failure}\n`);
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
process.exit(status === 0 && counts.failed === 0 ? 0 : 1);

function testKernel(name, args) {
  const report = join(results, `${name}.json`);
  const vitest = ['--bun', 'node_modules/.bin/vitest', 'run', ...args];
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  status |= run(bun, [...vitest, ...reporters], { CANAL_KTEST: '1' });
  if (existsSync(report)) count(report);
}

function count(file) {
  const report = JSON.parse(readFileSync(file, 'utf8'));
  counts.passed += report.numPassedTests;
  // A file that could not be loaded, or whose preparation failed, has no failed test and has failed all the same.
  const unloaded = report.testResults.filter(
    (result) => result.status === 'failed' && result.assertionResults.every(({ status }) => status !== 'failed'),
  );
  counts.failed += report.numFailedTests + unloaded.length;
  for (const result of report.testResults) {
    const name = relative(root, result.name);
    for (const { status, fullName, failureMessages } of result.assertionResults)
      if (status === 'failed') failures.push(`${name}: ${fullName}\n${failureMessages.join('\n')}`);
  }
  for (const result of unloaded) failures.push(`${relative(root, result.name)}\n${result.message}`);
  counts.skipped += report.numPendingTests + report.numTodoTests;
}
