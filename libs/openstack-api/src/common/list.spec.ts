import { WeirError } from '@weir/kernel';
import { onlyParameters, single } from './list';

describe('the parameters of a request', () => {
  it('are those that there are, so that a misspelt one is not taken for none', () => {
    expect(() => onlyParameters({ dry_run: 'true' }, ['dry_run'])).not.toThrow();
    expect(() => onlyParameters({ 'dry-run': 'true' }, ['dry_run'])).toThrow(WeirError);
    expect(() => onlyParameters({ then: '1', nwo: '2' }, ['then', 'now'])).toThrow(
      "Unrecognized parameter(s) 'nwo'; there are then, now.",
    );
  });

  it('are given once where only one can be meant', () => {
    expect(single({ as_of: '5' }, 'as_of')).toBe('5');
    expect(single({}, 'as_of')).toBeUndefined();
    expect(() => single({ as_of: ['5', '7'] }, 'as_of')).toThrow(WeirError);
  });
});
