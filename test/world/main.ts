import { live } from './world';

const USAGE = `npm run world -- --seed N            lives through one world and tells its story
npm run world -- --from N --to M    lives through many, and tells the story of the first that fails
  --untamed                         plays also what is known to go wrong (README, "What is not played")
`;

function numberOf(name: string): number | undefined {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : Number(process.argv[at + 1]);
}

async function main(): Promise<number> {
  const seed = numberOf('seed');
  const [from, to] = seed === undefined ? [numberOf('from'), numberOf('to')] : [seed, seed];
  if (from === undefined || to === undefined || !Number.isSafeInteger(from) || !Number.isSafeInteger(to)) {
    process.stderr.write(USAGE);
    return 2;
  }
  for (let n = from; n <= to; n++) {
    const { story, hash, events, violations } = await live(n, undefined, process.argv.includes('--untamed'));
    if (seed !== undefined || violations.length > 0) process.stdout.write(`${story}\n\n`);
    process.stdout.write(
      `seed ${n}: ${events} events, history ${hash.slice(0, 16)}, ${violations.length === 0 ? 'as it should be' : `${violations.length} violations`}\n`,
    );
    if (violations.length > 0) {
      process.stdout.write(
        `${violations.map((text) => `  ${text}`).join('\n')}\nReplay it: npm run world -- --seed ${n}\n`,
      );
      return 1;
    }
  }
  return 0;
}

void main().then((code) => (process.exitCode = code));
