import type { Command, Option } from 'commander';
import { createApi } from './api.ts';
import { clean } from './clean.ts';
import { liveValues } from './completion-values.ts';
import { type Surroundings, socketOf } from './context.ts';
import { createProgram } from './program.ts';

// a shell waits for the answer while somebody types
const timeoutMs = 1000;

/** Prints what may stand in place of the last word, one candidate a line. `argv` is SHELL WORD…. Never fails: without the
 *  service there are no live values. */
export async function complete(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  const [shell, ...typed] = argv;
  const words = shell === 'bash' ? joined(typed) : typed;
  const place = placeOf(
    createProgram(surroundings, () => {}),
    words,
  );
  const api = createApi(socketOf(surroundings, place.socket), { door: 'cli', user: 'root', timeoutMs });
  const live = place.wanted ? await liveValues(api, place.wanted, place.given).catch(() => []) : [];
  const candidates = [...place.words, ...live].filter((candidate) => candidate.startsWith(place.current));
  // bash replaces only what follows the last `=`
  const skipped = shell === 'bash' ? place.current.lastIndexOf('=') + 1 : 0;
  surroundings.stdout.write(clean(candidates.map((candidate) => `${candidate.slice(skipped)}\n`).join('')));
  return 0;
}

/** Where in the command line the cursor stands. */
interface Place {
  current: string;
  /** words that are known without asking: commands, options, choices */
  words: string[];
  /** name of the argument or of the option's value that is being typed: VMID, NAME, … */
  wanted: string | null;
  /** arguments of the command so far */
  given: string[];
  socket: string | undefined;
}

/** Walks the words through commander's tree of commands. */
function placeOf(program: Command, typed: readonly string[]): Place {
  const current = typed.at(-1) ?? '';
  let command = program;
  let open: Option | undefined; // an option whose value comes next
  const given: string[] = [];
  let socket: string | undefined;
  for (const word of typed.slice(0, -1)) {
    const below = command.commands.find((one) => one.name() === word);
    if (open) {
      if (open.long === '--socket') socket = word;
      open = undefined;
    } else if (word.startsWith('-')) open = optionsOf(command).find(({ long, required }) => long === word && required);
    else if (below) command = below;
    else given.push(word);
  }
  const place = { current, given, socket };
  if (open) return { ...place, words: open.argChoices ?? [], wanted: /<(.+)>/.exec(open.flags)?.[1] ?? null };
  if (current.startsWith('-')) {
    const options = optionsOf(command).flatMap(({ long }) => (long ? [long] : []));
    return { ...place, words: [...options, '--help'], wanted: null };
  }
  const commands = command.commands.map((one) => one.name());
  const argument = command.registeredArguments[given.length];
  return { ...place, words: argument?.argChoices ?? commands, wanted: argument?.name() ?? null };
}

function optionsOf(command: Command): Option[] {
  return command.parent ? [...command.options, ...optionsOf(command.parent)] : [...command.options];
}

/** bash takes eth0=web apart at the `=`. */
function joined(words: readonly string[]): string[] {
  const whole: string[] = [];
  for (const word of words) {
    const previous = whole.at(-1);
    if (previous !== undefined && (word === '=' || previous.endsWith('='))) whole[whole.length - 1] = previous + word;
    else whole.push(word);
  }
  return whole;
}
