import { readText } from './files.ts';

/** TCP_LISTEN, and an unconnected socket of UDP (include/net/tcp_states.h) */
const states = { tcp: '0A', udp: '07' } as const;

/** Ports that a process of this network namespace listens on, `30080/tcp`, as procfs has them; those of loopback alone are left out. */
export async function listeningPorts(): Promise<Set<string>> {
  const lists = (['tcp', 'udp'] as const).flatMap((protocol) =>
    ['', '6'].map(async (family) => portsIn((await readText(`/proc/self/net/${protocol}${family}`)) ?? '', protocol)),
  );
  return new Set((await Promise.all(lists)).flat());
}

function portsIn(text: string, protocol: keyof typeof states): string[] {
  return text.split('\n').flatMap((line) => {
    const [, address = '', port = '', , , state] =
      /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]{2}) /.exec(line) ?? [];
    return state === states[protocol] && !isLoopback(address) ? [`${Number.parseInt(port, 16)}/${protocol}`] : [];
  });
}

/** In words of 32 bits, each in the order of the machine (of bytes: the lowest first): 127.0.0.0/8, also as IPv6 maps it, and ::1. */
function isLoopback(address: string): boolean {
  return /^(0{16}F{4}0{4})?[0-9A-F]{6}7F$|^0{24}01000000$/.test(address);
}
