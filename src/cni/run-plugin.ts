import { execute } from '../host/execute.ts';
import type { CniResult, CniVerb, CniVersion, PluginConf } from '../model/cni.ts';
import { failure, PveCniError } from '../model/errors.ts';
import { judge, parseOutput } from './answer.ts';
import { findPluginOf } from './find-plugin.ts';
import { isObject } from './json.ts';
import { redactOutput } from './redact.ts';
import { parseResult } from './result.ts';
import type { CallOptions, RuntimeOptions } from './runtime.ts';

interface Target {
  network?: string;
  containerId?: string;
  ifname?: string;
}

export interface PluginRun extends Target {
  verb: CniVerb;
  plugin: PluginConf;
  /** where it was found a moment ago; looked up when absent */
  path?: string;
  env: Record<string, string>;
  stdin: string;
}

/** Finds a plugin, runs it once, as a span, and gives what it printed. @throws CNIError */
export async function runPlugin(options: RuntimeOptions, run: PluginRun, { signal, pluginTimeoutMs }: CallOptions = {}): Promise<Buffer> {
  const { verb, plugin, env, stdin } = run;
  const { type } = plugin;
  const target = targetOf(run);
  const timeoutMs = pluginTimeoutMs ?? options.pluginTimeoutMs;
  return options.trace(
    `plugin:${type}:${verb}`,
    async () => {
      const path = run.path ?? findPluginOf(plugin, options.pluginDirs).path;
      // asked inside the span, so that the plugin's own spans become its children
      const traceparent = options.traceparent();
      const start = options.execute ?? execute;
      const whole = { ...options.pluginEnv, ...env, ...(traceparent && { TRACEPARENT: traceparent }) };
      const outcome = await start({ path, env: whole, stdin, timeoutMs, signal });
      const answer = judge(outcome, { plugin: type, verb, path, timeoutMs, ...target });
      if (answer instanceof PveCniError) throw answer;
      return answer.stdout;
    },
    { plugin: type, ...target },
  );
}

/** The same for verbs that answer with JSON; `read` gives the reason when it is not what the verb asks for.
 *  @throws CNIError CNI_RESULT_INVALID too */
async function runForJson<T>(
  options: RuntimeOptions,
  run: PluginRun,
  call: CallOptions | undefined,
  read: (value: unknown) => T | { invalid: string },
): Promise<T> {
  const stdout = await runPlugin(options, run, call);
  const value = parseOutput(stdout);
  const result = isObject(value) ? read(value) : { invalid: stdout.length === 0 ? 'nothing was printed' : 'it is not one JSON object' };
  if (!(typeof result === 'object' && result !== null && 'invalid' in result)) return result;
  throw failure('CNI_RESULT_INVALID', `CNI plugin ${run.plugin.type} gave no valid answer to ${run.verb}: ${result.invalid}`, {
    plugin: run.plugin.type,
    verb: run.verb,
    ...targetOf(run),
    stdout: redactOutput(stdout.subarray(0, 16_384).toString()),
  });
}

/** @throws CNIError */
export function runForResult(options: RuntimeOptions, run: PluginRun, version: CniVersion, call?: CallOptions): Promise<CniResult> {
  return runForJson(options, run, call, (value) => parseResult(value, version));
}

/** @throws CNIError */
export function runForVersions(options: RuntimeOptions, run: PluginRun, call?: CallOptions): Promise<string[]> {
  return runForJson(options, run, call, (value) => {
    const versions = isObject(value) ? value.supportedVersions : undefined;
    const valid = Array.isArray(versions) && versions.length <= 64 && versions.every((one) => typeof one === 'string' && one.length <= 64);
    return valid ? (versions as string[]) : { invalid: 'supportedVersions must be a list of versions' };
  });
}

function targetOf({ network, containerId, ifname }: PluginRun): Target {
  return { ...(network && { network }), ...(containerId && { containerId }), ...(ifname && { ifname }) };
}
