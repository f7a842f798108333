import { given, judge, on } from '@weir/testing/domain';
import { raiseGeneration } from './commands';
import { publisher } from './publisher';

const raised = (generation: number) => ({ type: 'GenerationRaised', data: { generation } }) as const;

describe('the generation', () => {
  it('starts at 1', () => {
    judge(publisher)().when({ type: 'RaiseGeneration', from: 0 }).then(raised(1));
  });
  it('rises by one from the present', () => {
    judge(publisher)(raised(1), raised(2)).when({ type: 'RaiseGeneration', from: 2 }).then(raised(3));
  });
  it('stays when somebody else raised it first', () => {
    judge(publisher)(raised(1), raised(2)).when({ type: 'RaiseGeneration', from: 1 }).thenNothing();
  });
  it('is answered either way', () => {
    given(on('publisher', raised(1)))
      .when(raiseGeneration({ from: 0 }))
      .thenAnswers(1);
    given(on('publisher', raised(1)))
      .when(raiseGeneration({ from: 1 }))
      .thenAnswers(2);
  });
});
