import { systemClock } from '@weir/kernel';
import { FailpointHit, Failpoints } from './failpoints';

describe('a failpoint', () => {
  it('does nothing unless it is named', () => {
    new Failpoints().at('append/before-commit');
    new Failpoints('seal/after-commit=throw').at('append/before-commit');
  });

  it('throws where it is told, from the hit that it is told', () => {
    const failpoints = new Failpoints('append/before-commit=throw@3,seal/after-commit=throw');
    failpoints.at('append/before-commit');
    failpoints.at('append/before-commit');
    expect(() => failpoints.at('append/before-commit')).toThrow(FailpointHit);
    expect(() => failpoints.at('append/before-commit')).toThrow(FailpointHit);
    expect(() => failpoints.at('seal/after-commit')).toThrow('seal/after-commit');
  });

  it('stalls as long as it is told', () => {
    const start = systemClock.monotonic();
    new Failpoints('prune/while-deleting=sleep:30').at('prune/while-deleting');
    expect(systemClock.monotonic() - start).toBeGreaterThanOrEqual(29);
  });

  it.each(['append/never=exit', 'append/before-commit=explode', 'append/before-commit', 'exit'])(
    'must be one that exists, and told what to do: %s',
    (spec) => {
      expect(() => new Failpoints(spec)).toThrow(TypeError);
    },
  );
});
