import { digestOf } from '../config/digest.ts';
import { kindOfFile, networkPath, servicePath, settingsFileName } from '../config/files.ts';
import { errorRecord, failure } from '../model/errors.ts';
import type { Requester } from '../model/operation.ts';
import type { FileReceipt, NetworkRequest, SettingsDetail, TextRequest } from '../model/panel-api.ts';
import type { Dependencies } from './dependencies.ts';
import { exclusively } from './exclusively.ts';
import { fileText } from './file-texts.ts';
import type { Operations } from './operations.ts';

/** The cluster's objects that are one text each: networks, services, settings. What follows from a change is the reconcile's. */
export interface ObjectManager {
  /** @throws ConfigurationError before anything is written; PLUGIN_NOT_ALLOWED */
  applyNetwork(name: string, wanted: NetworkRequest, requester: Requester): Promise<FileReceipt>;
  /** @throws ConfigurationError NETWORK_UNKNOWN; NETWORK_IN_USE naming who uses it */
  removeNetwork(name: string, requester: Requester): Promise<FileReceipt>;
  applyService(name: string, wanted: TextRequest, requester: Requester): Promise<FileReceipt>;
  removeService(name: string, requester: Requester): Promise<FileReceipt>;
  settings(): Promise<SettingsDetail>;
  applySettings(wanted: TextRequest, requester: Requester): Promise<FileReceipt>;
}

export function createObjectManager(deps: Dependencies, operations: Operations): ObjectManager {
  const { configuration, settings } = deps;

  /** `of`: the name of a network, for the audit log */
  function change(
    requester: Requester,
    wanted: { text: string | null; digest?: string | undefined },
    how: { of?: string; file: () => string; message: string },
  ): Promise<FileReceipt> {
    const { text, digest } = wanted;
    const timeoutMs = settings.timeouts.operationSeconds * 1000;
    const request = { kind: 'configure' as const, vmid: null, requester, priority: 5, timeoutMs, ...(how.of && { network: how.of }) };
    return operations.run(request, async (context) => {
      const file = await exclusively(deps, async () => {
        await configuration.refresh();
        const path = how.file();
        context.changed(await configuration.replaceFile(path, text, digest), text);
        return path;
      });
      context.say(how.message);
      return { file, digest: text === null ? null : digestOf(text), operation: context.id, message: how.message };
    });
  }

  return {
    applyNetwork: (name, wanted, requester) =>
      change(requester, wanted, {
        of: name,
        file: () => networkFile(deps, name, wanted),
        message: `network ${name} is written`,
      }),
    removeNetwork: (name, requester) =>
      change(requester, { text: null }, { of: name, file: () => unusedNetwork(deps, name), message: `network ${name} is removed` }),
    applyService: (name, wanted, requester) =>
      change(requester, wanted, { file: () => servicePath(name), message: `service ${name} is written` }),
    removeService: (name, requester) =>
      change(
        requester,
        { text: null },
        {
          file() {
            const service = configuration.current.services.get(name);
            if (service) return service.file;
            throw failure('SERVICE_UNKNOWN', `there is no service ${name}; see pve-cni service list`, { service: name });
          },
          message: `service ${name} is removed`,
        },
      ),
    async settings() {
      const problem = configuration.current.problems.find(({ file }) => file === settingsFileName);
      return {
        ...(await fileText(configuration, settingsFileName)),
        settings: configuration.current.settings,
        problem: problem ? errorRecord(problem.error) : null,
      };
    },
    applySettings: (wanted, requester) =>
      change(requester, wanted, { file: () => settingsFileName, message: 'the settings of the cluster are written' }),
  };
}

/** The file that a network has, or is to have. */
function networkFile({ configuration }: Dependencies, name: string, { text, allowPlugins }: NetworkRequest): string {
  const file = configuration.current.networks.get(name)?.file ?? networkPath(name, text);
  if (kindOfFile(file) !== 'cniNetwork') return file;
  if (!allowPlugins)
    throw failure('PLUGIN_NOT_ALLOWED', `cannot write ${file}: a text of CNI names programs that run as root, which only root may`, {
      path: file,
      network: name,
    });
  const said = nameIn(text);
  if (said === undefined || said === name) return file;
  throw failure('CONFIG_INVALID', `${file}: name must be ${name}, the network that is written, not ${JSON.stringify(said)}`, {
    path: file,
    network: name,
    field: 'name',
  });
}

/** Undefined for what is no JSON: the parser says what is wrong with it. */
function nameIn(text: string): unknown {
  try {
    return (JSON.parse(text) as { name?: unknown } | null)?.name ?? null;
  } catch {
    return undefined;
  }
}

/** The file of a network that nobody uses. @throws ConfigurationError NETWORK_UNKNOWN, NETWORK_IN_USE */
function unusedNetwork({ configuration, store }: Dependencies, name: string): string {
  const { networks, containers } = configuration.current;
  const network = networks.get(name);
  if (!network) throw failure('NETWORK_UNKNOWN', `there is no network "${name}"; see pve-cni network list`, { network: name });
  const vmids = new Set([
    ...[...containers.values()].flatMap(({ vmid, interfaces }) => (interfaces.some((one) => one.network === name) ? [vmid] : [])),
    ...store.attachments.list({ network: name }).map(({ vmid }) => vmid),
  ]);
  const chained = [...networks.values()].filter((other) => other.type === 'cilium' && other.base?.name === name).map((other) => other.name);
  if (vmids.size + chained.length === 0) return network.file;
  const users = [
    ...[...vmids].sort((one, other) => one - other).map((vmid) => `container ${vmid}`),
    ...chained.map((other) => `network "${other}"`),
  ];
  const shown = users.length > 10 ? [...users.slice(0, 10), `${users.length - 10} more`] : users;
  throw failure('NETWORK_IN_USE', `cannot remove network "${name}": ${shown.join(', ')} ${users.length === 1 ? 'is' : 'are'} on it`, {
    network: name,
    containers: [...vmids],
    networks: chained,
  });
}
