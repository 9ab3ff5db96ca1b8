import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createCniRuntime } from '../../src/cni/create-runtime.ts';
import type { CniRuntime, RuntimeOptions } from '../../src/cni/runtime.ts';
import type { CniAttachment, CniVerb, CniVersion, PluginConf } from '../../src/model/cni.ts';

const source = new URL('./scripted-plugin.pl', import.meta.url).pathname;

/** What a plugin was given. */
export interface PluginCall {
  plugin: string;
  verb: string;
  pid: number;
  processGroup: number;
  /** arguments after the name; CNI has none */
  argumentCount: number;
  env: Record<string, string>;
  stdin: string;
  /** stdin parsed; null when it is not JSON */
  conf: Record<string, never> | null;
}

export interface PluginRig {
  runtime: CniRuntime;
  base: string;
  binDir: string;
  cacheDir: string;
  /** spans that the runtime made, in order */
  spans: { name: string; facts: Record<string, string | number> | undefined }[];
  /** a runtime over the same folders with other options */
  withOptions(options: Partial<RuntimeOptions>): CniRuntime;
  /** installs the scripted plugin under a name */
  install(name: string): string;
  /** what a plugin does at a verb: directives (see scripted-plugin.pl) and, unless left out, its stdout */
  script(name: string, verb: CniVerb, directives: readonly string[], stdout?: string | Buffer): void;
  unscript(name: string, verb: CniVerb): void;
  calls(): PluginCall[];
  /** `a:ADD b:ADD` */
  order(): string;
  forget(): void;
  attachment(
    plugins: readonly (string | PluginConf)[],
    more?: Partial<CniAttachment> & { cniVersion?: CniVersion; list?: object },
  ): CniAttachment;
  cacheFile(attachment: CniAttachment): string;
  remove(): void;
}

/** Real executables in a folder that only root can write, which is why it is not below /tmp: the runtime would refuse it. */
export function createPluginRig(options: Partial<RuntimeOptions> = {}, names: readonly string[] = ['a', 'b', 'c']): PluginRig {
  const base = mkdtempSync('/var/lib/pve-cni-test-');
  const [binDir, cacheDir, calls, scripts] = ['bin', 'cache', 'calls', 'script'].map((name) => `${base}/${name}`) as [
    string,
    string,
    string,
    string,
  ];
  for (const folder of [binDir, calls, scripts]) mkdirSync(folder);
  const spans: PluginRig['spans'] = [];
  const defaults: RuntimeOptions = {
    pluginDirs: [binDir],
    cacheDir,
    pluginTimeoutMs: 10_000,
    trace: (name, work, facts) => {
      spans.push({ name, facts });
      return work();
    },
    traceparent: () => undefined,
    ...options,
  };
  const rig: PluginRig = {
    runtime: createCniRuntime(defaults),
    base,
    binDir,
    cacheDir,
    spans,
    withOptions: (more) => createCniRuntime({ ...defaults, ...more }),
    install(name) {
      const path = `${binDir}/${name}`;
      copyFileSync(source, path);
      chmodSync(path, 0o755);
      return path;
    },
    script(name, verb, directives, stdout) {
      const answer = stdout === undefined ? [] : [Buffer.from('\n\n'), Buffer.from(stdout as string)];
      writeFileSync(`${scripts}/${name}.${verb}`, Buffer.concat([Buffer.from(directives.join('\n')), ...answer]));
    },
    unscript: (name, verb) => rmSync(`${scripts}/${name}.${verb}`),
    calls: () =>
      readdirSync(calls)
        .filter((name) => !name.endsWith('.tmp'))
        .sort()
        .map((name) => readCall(`${calls}/${name}`)),
    order: () =>
      rig
        .calls()
        .map((call) => `${call.plugin}:${call.verb}`)
        .join(' '),
    forget() {
      for (const name of readdirSync(calls)) rmSync(`${calls}/${name}`);
    },
    attachment: (plugins, { cniVersion = '1.0.0', list = {}, ...more } = {}) => ({
      conflist: { cniVersion, name: 'net1', ...list, plugins: plugins.map((one) => (typeof one === 'string' ? { type: one } : one)) },
      containerId: 'c0ffee',
      netns: `/proc/${process.pid}/ns/net`,
      ifname: 'eth0',
      args: {},
      capabilityArgs: {},
      ...more,
    }),
    cacheFile: ({ conflist, containerId, ifname }) => `${cacheDir}/results/${conflist.name}-${containerId}-${ifname}`,
    remove() {
      if (existsSync(`${base}/held`)) killIfAlive(Number(readFileSync(`${base}/held`, 'utf8')));
      rmSync(base, { recursive: true, force: true });
    },
  };
  for (const name of names) rig.install(name);
  return rig;
}

function readCall(file: string): PluginCall {
  const text = readFileSync(file, 'utf8');
  const end = text.indexOf('\0\0');
  const [plugin = '', pid, processGroup, argumentCount, ...env] = text.slice(0, end).split('\0');
  const stdin = text.slice(end + 2);
  const variables = Object.fromEntries(env.map((one) => [one.slice(0, one.indexOf('=')), one.slice(one.indexOf('=') + 1)]));
  return {
    plugin,
    verb: variables.CNI_COMMAND ?? '',
    pid: Number(pid),
    processGroup: Number(processGroup),
    argumentCount: Number(argumentCount),
    env: variables,
    stdin,
    conf: parse(stdin),
  };
}

function parse(text: string) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function killIfAlive(pid: number) {
  try {
    if (pid > 1 && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('/bin/')) process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended
  }
}
