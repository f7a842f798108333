import { parseArgs } from 'node:util';
import { invalid } from '@weir/kernel';

export interface Options {
  /** Exit behind the last step instead of staying up. */
  readonly once: boolean;
  /** End with one line of JSON. */
  readonly json: boolean;
  /** Add the sites and stop there. */
  readonly empty: boolean;
  /** In one process, with nothing of the system. */
  readonly simulated: boolean;
  readonly help: boolean;
}

const FLAGS = ['once', 'json', 'empty', 'simulated', 'help'] as const;

export const USAGE = `npm run demo [-- FLAG...]

  --once       exit when the story has ended: with status 0 if every step held
  --json       end with one line of JSON: {"ok","steps":[{"name","ok","ms","detail"}]}
  --empty      add the two sites and stop there, with no network and no server
  --simulated  play it in one process, on simulated hosts: needs Node alone, neither root nor Open vSwitch
`;

/** Throws `invalid` with one sentence for what is no flag. */
export function parseOptions(args: readonly string[]): Options {
  const { tokens } = parseArgs({ args: [...args], strict: false, tokens: true });
  const given = new Set<string>();
  for (const token of tokens) {
    if (token.kind === 'option' && isFlag(token.name) && token.value === undefined) given.add(token.name);
    else if (token.kind !== 'option-terminator') throw notAFlag(args[token.index] ?? '');
  }
  return {
    once: given.has('once'),
    json: given.has('json'),
    empty: given.has('empty'),
    simulated: given.has('simulated'),
    help: given.has('help'),
  };
}

function isFlag(name: string): name is (typeof FLAGS)[number] {
  return (FLAGS as readonly string[]).includes(name);
}

function notAFlag(text: string): Error {
  return invalid(`The demo does not know '${text}': its flags are ${FLAGS.map((flag) => `--${flag}`).join(', ')}.`);
}
