import { type ErrorClass, type ErrorCode, errorClasses, errorCodes, exitCodes } from '../src/model/error-codes.ts';

const subjects: Record<ErrorClass, string> = {
  ConfigurationError: 'What people wrote: files and requests.',
  CNIError: 'What a CNI plugin did.',
  IPAMError: 'Addresses.',
  InterfaceError: 'Kernel objects: namespaces, links, rules, and the tools that make them.',
  StateError: 'The store and the service themselves.',
  ProxmoxError: 'Proxmox and LXC.',
};

/** docs/errors.md: every error code with its class, HTTP status, exit code, cause and cure. */
export function renderErrors(): string {
  return `${[
    '# Errors',
    '',
    'Generated from `src/model/error-codes.ts` by `npm run gen`; do not edit.',
    '',
    'Every error has a class, a stable code, a message (what was tried, on what, why it failed, what to do), facts in',
    '`context`, and its cause. Over HTTP it is a problem document (RFC 9457) with the status below; the command `pve-cni`',
    'ends with the exit code of the class. *Retryable* means that the same request may succeed later without anybody',
    'changing anything.',
    '',
    '| class | exit code | what it is about |',
    '|---|---|---|',
    ...errorClasses.map((name) => `| [${name}](#${name.toLowerCase()}) | ${exitCodes[name]} | ${subjects[name]} |`),
    '',
    'Exit code 0 is success, 2 a wrong command line, 1 anything else.',
    ...errorClasses.flatMap(section),
  ].join('\n')}\n`;
}

function section(name: ErrorClass): string[] {
  const codes = (Object.keys(errorCodes) as ErrorCode[]).filter((code) => errorCodes[code].class === name);
  return ['', `## ${name}`, '', subjects[name], ...codes.flatMap(entry)];
}

function entry(code: ErrorCode): string[] {
  const { status, retryable, cause, cure } = errorCodes[code];
  return [
    '',
    `### ${code}`,
    '',
    `HTTP ${status} · exit code ${exitCodes[errorCodes[code].class]} · ${retryable ? 'retryable' : 'not retryable'}`,
    '',
    `- Cause: ${cause}`,
    `- Cure: ${cure}`,
  ];
}
