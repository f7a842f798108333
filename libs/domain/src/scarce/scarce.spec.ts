import { judge } from '@weir/testing/domain';
import { AlreadyTaken } from './errors';
import { scarce } from './scarce';

const given = judge(scarce);
const taken = { type: 'Taken', data: { by: 'one' } } as const;
const freed = { type: 'Freed', data: {} } as const;

describe('a scarce thing', () => {
  it('is taken by whoever comes first', () => {
    given().when({ type: 'Take', by: 'one' }).then(taken);
  });
  it('is refused to the next', () => {
    given(taken).when({ type: 'Take', by: 'two' }).thenFails(AlreadyTaken);
  });
  it('may be asked for twice by its holder', () => {
    given(taken).when({ type: 'Take', by: 'one' }).thenNothing();
  });
  it('is freed by its holder, and by nobody else', () => {
    given(taken).when({ type: 'Free', by: 'one' }).then(freed);
    given(taken).when({ type: 'Free', by: 'two' }).thenNothing();
  });
  it('can be taken again once it was freed', () => {
    given(taken, freed)
      .when({ type: 'Take', by: 'two' })
      .then({ type: 'Taken', data: { by: 'two' } });
  });
});
