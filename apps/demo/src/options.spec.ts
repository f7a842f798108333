import { parseOptions } from './options';

describe('the flags of the demo', () => {
  it('may be left out', () => {
    expect(parseOptions([])).toEqual({ once: false, json: false, empty: false, simulated: false, help: false });
  });

  it('may be combined', () => {
    expect(parseOptions(['--once', '--json'])).toMatchObject({ once: true, json: true, empty: false });
    expect(parseOptions(['--empty'])).toMatchObject({ empty: true });
  });

  it.each([['--twice'], ['--once=yes'], ['paris'], ['-o'], ['--once', '--no-json']])(
    'are named in one sentence when %s is none of them',
    (...args) => {
      const wrong = args.at(-1) ?? '';
      expect(() => parseOptions(args)).toThrow(
        `The demo does not know '${wrong}': its flags are --once, --json, --empty, --simulated, --help.`,
      );
    },
  );
});
