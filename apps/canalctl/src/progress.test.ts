import { describe, expect, test } from 'vitest';
import { createProgress } from './progress.ts';
import { type Terminal } from './terminal.ts';

function recording(live: boolean): Terminal & { text: string } {
  return {
    live,
    text: '',
    out: () => undefined,
    err(text) {
      this.text += text;
    },
  };
}

describe('progress', () => {
  test('without a terminal is one plain line a step', () => {
    const terminal = recording(false);
    const progress = createProgress(terminal);
    progress.step('one');
    progress.step('two');
    progress.done();
    expect(terminal.text).toBe('one\ntwo\n');
  });

  test('on a terminal draws over one line, and takes it away at the end', async () => {
    const terminal = recording(true);
    const progress = createProgress(terminal);
    progress.step('one');
    await Bun.sleep(250);
    progress.step('two');
    progress.done();
    expect(terminal.text).not.toContain('\n');
    expect(terminal.text.match(/one/g)?.length).toBeGreaterThanOrEqual(3);
    expect(terminal.text.endsWith('two\r\u001b[2K')).toBe(true);
    const { length } = terminal.text;
    await Bun.sleep(150);
    expect(terminal.text).toHaveLength(length);
  });

  test('quiet says nothing', () => {
    const terminal = recording(true);
    const progress = createProgress(terminal, true);
    progress.step('one');
    progress.done();
    expect(terminal.text).toBe('');
  });
});
