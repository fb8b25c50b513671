/** The runtime's CNI configuration on disk: written last, kept as the template says, never another CNI's. */
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { CniConfOptions } from '@canal/config';
import { removeTemporaryFiles, writeFileAtomic } from '@canal/node-state';
import type { Clock } from '@canal/runtime-port';
import type { Complaint } from '@canal/telemetry';
import { type ConfTemplate, decideConf, earlierConfs, foreignTypes, parseConfTemplate } from './cni-conf.ts';
import { ConfFight } from './conf-fight.ts';

export interface CniConfReport {
  readonly outcome: 'same' | 'written' | 'repaired' | 'not-written';
  /** Why the runtime has no configuration of ours; absent when it has one. */
  readonly fault?: string;
  readonly complaints: readonly Complaint[];
  /** Types of plugins that others have put behind ours. */
  readonly appended: readonly string[];
}

/** In the state directory. An agent that starts must know which plugins its predecessor's template had. */
const IN_FORCE = 'cni-conf-in-force.json';

export class CniConfFile {
  readonly #options: CniConfOptions;
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #fight: ConfFight;
  /** The last template that was right. */
  #template: ConfTemplate | undefined;
  /** The template that the file was last found to follow, by this agent or the one before it. */
  #inForce: string | undefined;
  #looked = false;
  /** What the file held after the last look or write; absent before the first. */
  #left: { readonly text: string | undefined } | undefined;
  /** Others have changed the file, and that is not answered yet. */
  #isUnanswered = false;

  constructor(options: CniConfOptions, clock: Pick<Clock, 'nowMs'>) {
    this.#options = options;
    this.#clock = clock;
    this.#fight = new ConfFight(clock.nowMs());
  }

  /** Somebody rewrites the file again and again: changes are not to be followed one by one. */
  isFought(): boolean {
    return this.#fight.isOn(this.#clock.nowMs());
  }

  /** Brings the file there. To be called when pods may be added; throws NodeStateError when it cannot be written. */
  ensure(): CniConfReport {
    const { directory, name } = this.#options;
    this.#lookOnce();
    const problem = this.#readTemplate();
    const complaints = [...(problem === undefined ? [] : [problem]), ...this.#earlier()];
    if (this.#template === undefined) {
      return { outcome: 'not-written', fault: problem?.message ?? '', complaints, appended: [] };
    }
    const present = readIfThere(join(directory, name));
    const report = this.#mayAct(present)
      ? this.#act(this.#template, present)
      : ({ outcome: 'not-written', complaints: [], appended: [] } as const);
    if (!this.isFought()) return { ...report, complaints: [...complaints, ...report.complaints] };
    // One word for all of it: what is found changes from one look to the next.
    const fight = this.#foughtOver();
    return { outcome: report.outcome, fault: fight.message, complaints: [...complaints, fight], appended: [] };
  }

  #mayAct(present: string | undefined): boolean {
    const nowMs = this.#clock.nowMs();
    if (this.#left !== undefined && this.#left.text !== present) {
      this.#fight.changed(nowMs);
      this.#isUnanswered = true;
    }
    this.#left = { text: present };
    if (this.#isUnanswered && !this.#fight.mayAnswer(nowMs)) return false;
    this.#isUnanswered = false;
    return true;
  }

  #act(template: ConfTemplate, present: string | undefined): CniConfReport {
    const { directory, name } = this.#options;
    const decision = decideConf(template, present, this.#inForce);
    switch (decision.action) {
      case 'leave': {
        const taken = this.#takenBy(decision.types);
        return { outcome: 'not-written', fault: taken.message, complaints: [taken], appended: [] };
      }
      case 'keep':
        this.#remember(template.text);
        return { outcome: 'same', complaints: [], appended: decision.appended };
      case 'write': {
        const { text } = template;
        mkdirSync(directory, { recursive: true });
        // 0600: a runtime reads it as root, and nobody else has to.
        writeFileAtomic(directory, name, text, { mode: 0o600, survives: 'power-cut' });
        this.#left = { text };
        const outcome = this.#inForce === text ? 'repaired' : 'written';
        this.#remember(text);
        return { outcome, complaints: [], appended: [] };
      }
    }
  }

  #lookOnce(): void {
    if (this.#looked) return;
    const { directory, stateDir } = this.#options;
    // Of an agent that was killed; no other writes there under this prefix.
    removeTemporaryFiles(directory, listIfThere(directory));
    this.#inForce = readIfThere(join(stateDir, IN_FORCE));
    this.#looked = true;
  }

  #remember(text: string): void {
    if (this.#inForce === text) return;
    const { stateDir } = this.#options;
    mkdirSync(stateDir, { recursive: true });
    writeFileAtomic(stateDir, IN_FORCE, text, { mode: 0o600, survives: 'power-cut' });
    this.#inForce = text;
  }

  #readTemplate(): Complaint | undefined {
    const { template } = this.#options;
    let text: string;
    try {
      text = readFileSync(template, 'utf8');
    } catch (error) {
      return this.#wrongTemplate(error instanceof Error ? error.message : String(error));
    }
    if (text === this.#template?.text) return undefined;
    const parsed = parseConfTemplate(text);
    if (!parsed.ok) return this.#wrongTemplate(parsed.error);
    this.#template = parsed.value;
    return undefined;
  }

  #wrongTemplate(what: string): Complaint {
    const rest = this.#template === undefined ? '' : '; until then the former one is in force';
    const message = `${this.#options.template}: ${what}. Cure: correct it in the ConfigMap${rest}`;
    return { key: 'template', severity: 'error', event: 'InvalidCNIConfig', message };
  }

  #foughtOver(): Complaint {
    const path = join(this.#options.directory, this.#options.name);
    const message =
      `${path} is changed by another program again and again; canal puts it back every 10 s at most. ` +
      `Cure: find that program ("auditctl -w ${path} -p wa", then "ausearch -f ${path}") and keep it off the file, ` +
      `or say what it wants in cni-conf.json of the ConfigMap`;
    return { key: 'fight', severity: 'error', event: 'CNIConfigFight', message };
  }

  #takenBy(types: readonly string[]): Complaint {
    const { directory, name } = this.#options;
    const message =
      `${join(directory, name)} is the configuration of another CNI (${types.join(', ')}), so canal has not written its own. ` +
      `Cure: remove that CNI from this node, or take the file away`;
    return { key: 'taken', severity: 'error', event: 'CNIConfigConflict', message };
  }

  /** Told, not judged: some CNIs that come first (Multus) pass pods on to ours. */
  #earlier(): Complaint[] {
    const { directory, name } = this.#options;
    return earlierConfs(name, listIfThere(directory)).flatMap((other): Complaint[] => {
      const text = readForeign(join(directory, other));
      const types = text === undefined ? undefined : foreignTypes(text);
      if (types === undefined) return [];
      const message =
        `${join(directory, other)} (${types.join(', ') || 'not readable: runtimes may give the whole directory up'}) comes before ${name}: new pods of this node get their network from it. ` +
        `Cure: remove that CNI from this node, or take the file away, unless it passes pods on to canal`;
      return [{ key: `earlier ${other}`, severity: 'warning', event: 'CNIConfigConflict', message }];
    });
  }
}

function readIfThere(path: string): string | undefined {
  return ifThere(() => readFileSync(path, 'utf8'));
}

/** Undefined for what runtimes pass over; empty for what they cannot read either. */
function readForeign(path: string): string | undefined {
  try {
    return statSync(path).isFile() ? readFileSync(path, 'utf8') : undefined;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? undefined : '';
  }
}

function listIfThere(directory: string): readonly string[] {
  return ifThere(() => readdirSync(directory)) ?? [];
}

function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
