import { Fields, type JsonObject, parseJson, readFields } from '@canal/cni-spec';
import { type PluginCallOutput } from './plugin-exec.ts';

/** A plugin failed. `pluginCode` is the CNI error code of its answer, absent when it gave none (killed, say). */
export class CniPluginError extends Error {
  override readonly name = 'CniPluginError';
  readonly command: string;
  readonly plugin: string;
  readonly pluginCode: number | undefined;
  readonly pluginMessage: string | undefined;
  readonly details: string | undefined;
  readonly output: PluginCallOutput;

  constructor(command: string, plugin: string, output: PluginCallOutput) {
    const answer = parseAnswer(output.stdout);
    const said = answer === undefined ? `exit ${output.exitCode}: ${output.stderr.trim()}` : answer.message;
    super(`${command} of plugin ${plugin} failed: ${said}`);
    this.command = command;
    this.plugin = plugin;
    this.pluginCode = answer?.code;
    this.pluginMessage = answer?.message;
    this.details = answer?.details;
    this.output = output;
  }
}

interface Answer {
  readonly code: number | undefined;
  readonly message: string;
  readonly details: string | undefined;
}

function parseAnswer(stdout: string): Answer | undefined {
  const json = parseJson(stdout);
  if (!json.ok) return undefined;
  const answer = readFields(() => {
    const fields = Fields.of(json.value, 'answer');
    return {
      code: fields.optionalInteger('code', 0, 0xffff_ffff),
      message: fields.string('msg'),
      details: fields.optionalString('details'),
    };
  });
  return answer.ok ? answer.value : undefined;
}

/** A plugin's stdout as JSON object; throws when it is none. */
export function parseOutput(command: string, plugin: string, output: PluginCallOutput): JsonObject {
  const json = parseJson(output.stdout);
  const result = json.ok ? readFields(() => Fields.of({ result: json.value }, '').optionalRaw('result')) : json;
  if (result.ok && result.value !== undefined) return result.value;
  throw new CniPluginError(command, plugin, output);
}
