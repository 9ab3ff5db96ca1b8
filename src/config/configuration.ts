import type { ContainerConfig, ContainerFile } from '../model/container.ts';
import type { PveCniError } from '../model/errors.ts';
import type { Network } from '../model/network.ts';
import type { Policy } from '../model/policy.ts';
import type { Service } from '../model/service.ts';
import type { Settings } from '../model/settings.ts';

/** An object whose file is wrong now. */
export interface ConfigProblem {
  /** below the root: containers/101.yaml */
  file: string;
  error: PveCniError;
  /** whether an earlier good version of this object still serves */
  lastGoodServes: boolean;
}

/** Everything configured, at one moment. Immutable. */
export interface ConfigSnapshot {
  networks: ReadonlyMap<string, Network>;
  containers: ReadonlyMap<number, ContainerConfig>;
  /** by name */
  policies: ReadonlyMap<string, Policy>;
  services: ReadonlyMap<string, Service>;
  settings: Settings;
  problems: readonly ConfigProblem[];
  /** false: the root is not there (or not quorate); what is served is the last that was good, and nothing may be
   *  released, collected or removed because it is missing here */
  available: boolean;
  /** whether the root can be written */
  writable: boolean;
}

export interface Configuration {
  readonly current: ConfigSnapshot;
  /** Looks at the files again, all of them or (cheap, for hooks) the networks, the policies and one
   *  container. */
  refresh(vmid?: number): Promise<ConfigSnapshot>;
  /** Called after every change of the snapshot, with what changed. */
  onChange(listener: (change: { snapshot: ConfigSnapshot; files: string[] }) => void): void;
  /** Parses and validates a container's file as if it were written, against the present networks.
   *  @throws ConfigurationError naming file and field */
  parseContainer(vmid: number, text: string): ContainerConfig;
  /** Text of the file as it is on disk; null when there is none. */
  readContainer(vmid: number): Promise<string | null>;
  /** Writes containers/VMID.yaml atomically and durably (temporary dot file, rename; never chmod: pmxcfs refuses it),
   *  or moves it to archive/ when `config` is null. @throws ConfigurationError CONFIG_UNAVAILABLE */
  writeContainer(vmid: number, config: ContainerFile | null): Promise<void>;
  /** Puts a text, as it is, in the place of a network's, a service's or the settings' file; null moves the file to archive/. Nothing is written
   *  unless it serves beside the others and keeps none of them from serving, and, where a digest is given, unless the file is the one that
   *  has it. Gives what was there. @throws ConfigurationError with every finding in `context.issues`; CONFLICT, CONFIG_UNAVAILABLE */
  replaceFile(file: string, text: string | null, digest?: string): Promise<string | null>;
  /** Text of the container's file that was archived last; null when none is. */
  archivedContainer(vmid: number): Promise<string | null>;
  /** Writes networks/NAME.yaml. @throws ConfigurationError when it is not one that would serve */
  writeNetwork(name: string, text: string): Promise<void>;
  /** Parses and validates a policy as if it were written, against the present ones. @throws ConfigurationError naming file and field */
  parsePolicy(text: string): Policy;
  /** Text of a file as it is on disk; null when there is none. */
  readFile(file: string): Promise<string | null>;
  /** Writes a policy's text, as it is, in the file that it has or in policies/NAME.yaml. Gives the file. @throws ConfigurationError; CONFLICT
   *  when a digest is given and the file is another */
  writePolicy(text: string, digest?: string): Promise<string>;
  /** Moves a policy's file to archive/. */
  removePolicy(file: string): Promise<void>;
  /** Makes the folders that are missing, the root's own among them, and says which. */
  makeFolders(options: { dryRun: boolean }): Promise<string[]>;
  /** Begins and ends watching (fs.watch as a hint, polling as the truth). */
  start(): void;
  stop(): Promise<void>;
}
