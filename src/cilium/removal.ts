import { rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { agentUnit, etcdUnit } from '../core/cilium-agent.ts';
import { removeCiliumRules } from '../core/cilium-iptables.ts';
import { sysctlFile } from '../core/cilium-units.ts';
import { asPveCniError, failure } from '../model/errors.ts';
import type { Installed, Place, Step } from './installation.ts';

/** The agent taken off a node, with everything of it in the kernel. Of Cilium's own cleanup only the part about programs and maps is used:
 *  the whole of it also removes every link named lxc and five letters, CNI configurations of others and renames their backups. */

const links = ['cilium_host', 'cilium_net', 'cilium_vxlan', 'cilium_geneve', 'cilium_wg0'];

export async function uninstall(
  place: Pick<Place, 'host' | 'agent' | 'settings' | 'paths'>,
  installed: Installed,
  { step, endpointLinks }: { step: Step; endpointLinks: readonly string[] },
): Promise<string> {
  const { host, agent, paths, settings } = place;
  const runtime = dirname(settings.socket);
  await step('stop the units', async () => {
    if (await host.systemd.runs()) for (const unit of [agentUnit, etcdUnit]) await host.systemd.disable(unit);
    const answers = await agent.health().then(
      () => true,
      () => false,
    );
    if (answers)
      throw failure(
        'CILIUM_INSTALL_FAILED',
        `an agent still answers at ${settings.socket}: it was not started by ${agentUnit}; end it, then repeat`,
        {
          path: settings.socket,
        },
      );
  });
  await step('remove programs and maps', async () => {
    // left by an agent that was killed; nobody answers at its socket
    await rm(join(runtime, 'cilium.pid'), { force: true });
    await host.run([join(installed.folder, 'cilium-dbg'), 'post-uninstall-cleanup', '--force', '--bpf-state'], { timeoutMs: 60_000 });
    // frames that others may pin things in
    for (const folder of ['tc/globals', 'tc']) await rmdir(join('/sys/fs/bpf', folder)).catch(() => {});
  });
  await step('remove links', async () => {
    for (const link of [...endpointLinks, ...links]) if (await host.readLink(link)) await host.run(['ip', 'link', 'delete', link]);
  });
  await step('remove rules of iptables', async () => {
    for (const family of ['iptables', 'ip6tables'] as const) {
      const saved = await host.run([`${family}-save`]).catch((error) => {
        if (asPveCniError(error).code === 'TOOL_MISSING') return '';
        throw error;
      });
      const script = removeCiliumRules(saved);
      if (script !== '') await host.run([`${family}-restore`, '--noflush', '--wait', '5'], { input: script });
    }
  });
  await step('remove files', async () => {
    await host.run(['umount', join(runtime, 'cgroupv2')]).catch(() => {});
    for (const path of await host.listFolder(runtime)) await rm(join(runtime, path), { recursive: true, force: true });
    await rm(runtime, { recursive: true, force: true }).catch(() => {});
    const { etcDir } = settings;
    for (const unit of [agentUnit, etcdUnit]) await rm(`${etcDir}/systemd/system/${unit}`, { force: true });
    await rm(`${etcDir}/sysctl.d/${sysctlFile}`, { force: true });
    await rm(installed.plugin, { force: true });
    await rm(paths.current, { force: true });
    // somebody may be writing a policy's file in this moment
    await rm(dirname(paths.configDir), { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    if (await host.systemd.runs()) await host.systemd.reload();
  });
  return `Cilium ${installed.version} is removed`;
}
