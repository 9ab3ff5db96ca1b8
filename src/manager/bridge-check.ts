import { z } from 'zod';
import type { Host } from '../host/host.ts';
import type { Finding } from './doctor.ts';

/** Where the parts of the API bridge and of Proxmox lie on a node (pve-ui/perl/PVE/CNI/Settings.pm). */
export const bridgePlaces = {
  proxmox: '/usr/share/perl5/PVE/API2.pm',
  shim: '/etc/perl/PVE/API2.pm',
  routes: '/usr/share/perl5/PVE/CNI/routes.json',
  killSwitch: '/etc/pve-cni/disable-api',
  page: '/usr/share/pve-manager/index.html.tpl',
  panel: '/usr/share/pve-manager/js/pve-cni.js',
  notes: '/run/pve-cni-bridge',
  pidFiles: { pvedaemon: '/run/pvedaemon.pid', pveproxy: '/run/pveproxy/pveproxy.pid' },
};
type Places = typeof bridgePlaces;

/** What a daemon notes when it has loaded the bridge; pveproxy's is www-data's to write. */
const note = z.union([
  z.object({ version: z.string().max(100), time: z.number() }),
  z.object({ error: z.string().max(10_000), time: z.number() }),
]);

const reload = 'systemctl reload pvedaemon pveproxy';
const reinstall = 'apt install --reinstall pve-cni';
// the shim is loaded before the daemon forks into the background, which is the process that has the pid
const toleranceMs = 60_000;
const limitBytes = 1024 * 1024;

type System = Pick<Host, 'readTextUpTo' | 'startTimeOf'>;

/** Whether Proxmox's API and page have what the bridge adds: what its tests take for granted, looked up on this node. */
export async function checkBridge(
  { host, version, clock }: { host: System; version: string; clock: () => number },
  places: Places = bridgePlaces,
): Promise<Finding[]> {
  const read = (path: string) => host.readTextUpTo(path, limitBytes);
  if ((await read(places.proxmox)) === null) return [{ state: 'skipped', message: 'this is no Proxmox VE node' }];
  if ((await read(places.killSwitch)) !== null)
    return [
      {
        state: 'warning',
        message: `Proxmox’s API and panel are switched off by ${places.killSwitch}`,
        cure: `rm ${places.killSwitch} && ${reload}`,
      },
    ];
  const findings = [
    ...installed(places, version, await read(places.shim), await read(places.routes)),
    ...inPage(places, await read(places.page), await read(places.panel)),
  ];
  if (!findings.some(({ state }) => state === 'bad'))
    for (const daemon of ['pvedaemon', 'pveproxy'] as const) {
      const pid = Number.parseInt((await read(places.pidFiles[daemon])) ?? '', 10);
      const startedMs = Number.isSafeInteger(pid) && pid > 0 ? await startOf(host, pid, clock()) : null;
      findings.push(...loaded(daemon, version, await read(`${places.notes}/${daemon}`), startedMs));
    }
  return findings.length > 0 ? findings : [{ state: 'ok', message: 'pvedaemon and pveproxy have our API, the page has our panel' }];
}

function installed(places: Places, version: string, shim: string | null, routes: string | null): Finding[] {
  if (shim === null) return [{ state: 'bad', message: `${places.shim} is not there: Proxmox’s API does not know us`, cure: reinstall }];
  if (!shim.startsWith('# pve-cni API shim'))
    return [
      {
        state: 'bad',
        message: `${places.shim} is somebody else’s: Proxmox’s API does not know us`,
        cure: 'remove it, or what put it there, then reinstall pve-cni; the command pve-cni works without',
      },
    ];
  const found = /"version": "([^"]*)"/.exec(routes ?? '')?.[1];
  if (found === undefined) return [{ state: 'bad', message: `${places.routes} is missing or broken`, cure: reinstall }];
  return found === version
    ? []
    : [
        {
          state: 'warning',
          message: `the bridge is of version ${found}, the service of ${version}`,
          cure: `${reinstall}; systemctl restart pve-cni`,
        },
      ];
}

/** The page must have the tag that the script is put after: the same that PVE::CNI::Panel looks for. */
function inPage(places: Places, page: string | null, panel: string | null): Finding[] {
  if (panel === null)
    return [{ state: 'warning', message: `${places.panel} is not there: no panel in the web interface`, cure: reinstall }];
  const tags = page?.match(/<script\b[^>]*\bsrc=(["'])\/pve2\/js\/pvemanagerlib\.js(?:\?[^"'<>]*)?\1[^>]*>\s*<\/script>/g) ?? [];
  return tags.length === 1
    ? []
    : [
        {
          state: 'warning',
          message: `${places.page} is not as we know it: no panel in the web interface`,
          cure: 'see whether there is a newer pve-cni for this version of Proxmox VE',
        },
      ];
}

function loaded(daemon: string, version: string, text: string | null, startedMs: number | null): Finding[] {
  if (startedMs === null) return [{ state: 'warning', message: `${daemon} does not run`, cure: `systemctl start ${daemon}` }];
  const { data } = note.safeParse(parsed(text));
  if (!data || data.time * 1000 < startedMs - toleranceMs)
    return [{ state: 'bad', message: `${daemon} has not loaded our API since it started`, cure: `systemctl reload ${daemon}` }];
  if ('error' in data)
    return [{ state: 'bad', message: `${daemon} could not load our API: ${data.error}`, cure: `journalctl -u ${daemon}; ${reinstall}` }];
  return data.version === version
    ? []
    : [
        {
          state: 'warning',
          message: `${daemon} has loaded version ${data.version} of our API, which is ${version} now`,
          cure: `systemctl reload ${daemon}`,
        },
      ];
}

function parsed(text: string | null): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return null;
  }
}

/** When a process started, in epoch ms; null: it does not live. proc(5): in hundredths of a second after the boot. */
async function startOf(host: System, pid: number, nowMs: number): Promise<number | null> {
  const [ticks, uptime] = await Promise.all([host.startTimeOf(pid), host.readTextUpTo('/proc/uptime', 100)]);
  if (ticks === null || uptime === null) return null;
  return nowMs - (Number.parseFloat(uptime) - Number(ticks) / 100) * 1000;
}
