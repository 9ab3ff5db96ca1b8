// tsx scripts/manpages.ts FOLDER
// Writes the man pages of the package: the command's from its own help, the configuration's from the schema that checks it.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { createProgram } from '../src/cli/program.ts';
import { type Row, rowsOf } from '../src/config/reference.ts';
import { nodeFile } from '../src/model/settings.ts';

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: manpages.ts FOLDER');
const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };

await mkdir(folder, { recursive: true });
for (const [file, text] of Object.entries({
  'pve-cni.8': commandPage(),
  'pve-cnid.8': servicePage(),
  'pve-cnid.yaml.5': configurationPage(),
}))
  await writeFile(join(folder, file), `${text.trim()}\n`);

function commandPage(): string {
  let printed = '';
  const stdout = { write: (text: string) => (printed += text) };
  const program = createProgram({ stdout, stderr: stdout, env: {} }, () => {});
  const helpOf = (command: Command) => {
    printed = '';
    command.outputHelp();
    return printed;
  };
  const commands = leaves(program)
    .filter((command) => !command.name().startsWith('_'))
    .flatMap((command) => [
      `.SS ${roff(pathOf(command))} ${roff(command.usage())}`,
      roff(sentence(command.description())),
      ...command.registeredArguments.flatMap((argument) => term(argument.name(), argument.description)),
      ...command.options.flatMap(({ flags, description }) => term(flags, description)),
      ...verbatim(sectionOf(helpOf(command), 'Examples')),
    ]);
  return [
    ...head('pve-cni', 8, program.description()),
    '.SH SYNOPSIS',
    '.B pve-cni',
    '[\\fIoptions\\fR] \\fIcommand\\fR [\\fIarguments\\fR]',
    '.SH DESCRIPTION',
    'Asks the service of this node, \\fBpve-cnid\\fR(8), over its socket. Only root may.',
    '.SH OPTIONS',
    ...program.options.flatMap(({ flags, description }) => term(flags, description)),
    '.SH COMMANDS',
    ...commands,
    '.SH EXIT STATUS',
    ...sectionOf(helpOf(program), 'Exit codes')
      .join('  ')
      .trim()
      .split(/ {2,}/)
      .flatMap((entry) => term(entry.slice(0, entry.indexOf(' ')), entry.slice(entry.indexOf(' ') + 1))),
    '.SH ENVIRONMENT',
    ...term('PVE_CNI_SOCKET', 'socket of the service, where \\-\\-socket does not name it'),
    '.SH SEE ALSO',
    '.BR pve-cnid (8),',
    '.BR pve-cnid.yaml (5)',
  ].join('\n');
}

function servicePage(): string {
  return [
    ...head('pve-cnid', 8, 'the service that gives LXC containers CNI networks'),
    '.SH SYNOPSIS',
    '.B pve-cnid',
    '[\\fB\\-\\-config\\fR \\fIFILE\\fR] [\\fB\\-\\-check\\-state\\fR]',
    '.SH DESCRIPTION',
    'Runs CNI plugins when a container starts and again when it stops. LXC and Proxmox tell it by their hooks; \\fBpve-cni\\fR(8) and',
    'the web interface ask it over its socket. It runs as the unit \\fIpve-cni.service\\fR, whose socket, \\fIpve-cni.socket\\fR, stays open while',
    'the service is restarted. Stopping it takes no interface away: containers keep what they have.',
    '.SH OPTIONS',
    ...term('--config FILE', 'configuration of this node (default /etc/pve-cni/pve-cnid.yaml)'),
    ...term('--check-state', 'print the version of the state and the newest that this program knows, as JSON; exit 1 when it is newer'),
    ...term('--version', 'print the version'),
    ...term('--help', 'print a short help'),
    '.SH SIGNALS',
    ...term('SIGHUP', 'read the configuration again'),
    ...term('SIGTERM', 'let operations in progress end, then stop'),
    '.SH FILES',
    ...term('/etc/pve-cni/pve-cnid.yaml', 'configuration of this node, pve-cnid.yaml(5)'),
    ...term('/etc/pve/cni, /etc/pve-cni/cluster', 'networks, containers, policies and services: under Proxmox, and elsewhere'),
    ...term('/var/lib/pve-cni', 'the state'),
    ...term('/run/pve-cni', 'the socket, and reasons of refused starts'),
    ...term('/var/log/pve-cni/audit.log', 'one line for each operation'),
    ...term('/usr/share/lxc/config/common.conf.d/50-pve-cni.conf', 'the hooks of LXC'),
    '.SH SEE ALSO',
    '.BR pve-cni (8),',
    '.BR pve-cnid.yaml (5)',
  ].join('\n');
}

function configurationPage(): string {
  const entry = ({ key, type, fallback, description }: Row) => {
    const facts = [type, fallback && `default ${fallback}`].filter(Boolean).join('; ');
    return term(key, description ? `${description} (${facts})` : facts);
  };
  return [
    ...head('pve-cnid.yaml', 5, 'configuration of pve-cnid on one node'),
    '.SH DESCRIPTION',
    'YAML 1.2. \\fBpve-cnid\\fR(8) reads \\fI/etc/pve-cni/pve-cnid.yaml\\fR once, at its start. What the whole cluster shares, networks among it,',
    'lies below the folder that \\fBroot\\fR names: see \\fI/usr/share/doc/pve-cni/configuration.md\\fR.',
    'Keys that are unknown, and keys given twice, are errors.',
    '.SH KEYS',
    ...rowsOf(nodeFile).flatMap(entry),
    '.SH EXAMPLE',
    ...verbatim(['root: /etc/pve/cni', 'metrics: { listen: "127.0.0.1:9464" }']),
    '.SH SEE ALSO',
    '.BR pve-cnid (8),',
    '.BR pve-cni (8)',
  ].join('\n');
}

function head(name: string, section: number, what: string): string[] {
  return [
    `.\\" made by scripts/manpages.ts`,
    `.TH ${name.toUpperCase()} ${section} "" "pve-cni ${version}" "pve-cni"`,
    '.SH NAME',
    `${roff(name)} \\- ${roff(what)}`,
  ];
}

/** Commands that do something: those without commands below. */
function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap((one) => leaves(one));
}

function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}

/** Lines of a help's section, up to the next empty line. */
function sectionOf(help: string, title: string): string[] {
  const lines = help.split('\n');
  const begin = lines.indexOf(`${title}:`) + 1;
  if (begin === 0) return [];
  const end = lines.findIndex((line, index) => index >= begin && line === '');
  return lines.slice(begin, end < 0 ? undefined : end);
}

function term(name: string, text: string): string[] {
  return ['.TP', `.B ${roff(name.replaceAll('**', ''))}`, roff(text) || '\\&'];
}

function verbatim(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['.PP', '.nf', '.RS 4', ...lines.map((line) => roff(line.trim())), '.RE', '.fi'];
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** Text as roff takes it: backslashes, hyphens that are meant as minus signs, and no line that begins with a dot. Backquotes mark words. */
function roff(text: string): string {
  return text
    .replace(/\\(?![-&f])/g, '\\e')
    .replace(/(?<!\\)-/g, '\\-')
    .replace(/`([^`]*)`/g, '$1')
    .replace(/’/g, "'")
    .replace(/\s+/g, ' ')
    .replace(/^([.'])/, '\\&$1');
}
