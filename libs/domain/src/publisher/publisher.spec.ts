import { given, idOf, judge, on, sample } from '@weir/testing/domain';
import { streams } from '../streams';
import { findDivergence, liftQuarantine, raiseGeneration, settleDivergence } from './commands';
import { DivergenceUnknown, DivergenceUnsettled } from './errors';
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

describe('a quarantine', () => {
  const [paris, tokyo] = [idOf('site'), idOf('site', 2)];
  const shown = (siteId: typeof paris | null, generation: number) =>
    ({ type: 'DivergenceFound', data: { siteId, generation, position: 7, digest: 'seven' } }) as const;
  const settled = (siteId: typeof paris, by: 'adopt' | 'discard') =>
    ({ type: 'DivergenceSettled', data: { siteId, by } }) as const;
  const find = (siteId: typeof paris | null) => findDivergence({ siteId, generation: 1, position: 7, digest: 'seven' });

  it('begins with the first that shows what the log does not know, and tells each once', () => {
    given(on('publisher', raised(1)))
      .when(find(paris))
      .then(on('publisher', shown(paris, 1)));
    given(on('publisher', raised(1), shown(paris, 1)))
      .when(find(paris))
      .thenNothing();
    given(on('publisher', raised(1), shown(paris, 1)))
      .when(find(tokyo))
      .then(on('publisher', shown(tokyo, 1)));
    given(on('publisher', raised(1)))
      .when(find(null))
      .then(on('publisher', shown(null, 1)));
  });
  it('is decided site by site', () => {
    given(on('publisher', raised(1), shown(paris, 1)))
      .when(settleDivergence({ siteId: paris, by: 'discard' }))
      .then(on('publisher', settled(paris, 'discard')));
    given(on('publisher', raised(1), shown(paris, 1)))
      .when(settleDivergence({ siteId: tokyo, by: 'discard' }))
      .thenFails(DivergenceUnknown);
    given(on('publisher', raised(1)))
      .when(settleDivergence({ siteId: paris, by: 'adopt' }))
      .thenFails(DivergenceUnknown);
  });
  it('does not end while a site is not decided about', () => {
    given(on('publisher', raised(1), shown(paris, 1), shown(tokyo, 1), settled(paris, 'discard')))
      .when(liftQuarantine({ discarded: [] }))
      .thenFails(DivergenceUnsettled);
  });
  it('ends above every generation that was shown, with what is deleted below in the same append', () => {
    const { siteId, ...added } = sample.addSite();
    const site = on(streams.site(siteId), { type: 'SiteAdded', data: added });
    const server = { kind: 'server', id: idOf('server') };
    given(site, on('publisher', raised(2), shown(null, 1), shown(paris, 5), settled(paris, 'discard')))
      .when(liftQuarantine({ discarded: [{ siteId, facts: [server] }] }))
      .then(
        on(streams.site(siteId), { type: 'FactsDiscarded', data: { facts: [server] } }),
        on('publisher', raised(6)),
      );
  });
  it('is over once: lifting it again changes nothing', () => {
    given(on('publisher', raised(2)))
      .when(liftQuarantine({ discarded: [] }))
      .thenNothing();
  });
  it('tells in several events what is too much for one', () => {
    const { siteId, ...added } = sample.addSite();
    const facts = Array.from({ length: 1001 }, (_, n) => ({ kind: 'port', id: idOf('port', n) }));
    const part = (from: number, to: number) =>
      ({ type: 'FactsDiscarded', data: { facts: facts.slice(from, to) } }) as const;
    given(on(streams.site(siteId), { type: 'SiteAdded', data: added }), on('publisher', raised(1), shown(null, 1)))
      .when(liftQuarantine({ discarded: [{ siteId, facts }] }))
      .then(on(streams.site(siteId), part(0, 500), part(500, 1000), part(1000, 1001)), on('publisher', raised(2)));
  });
});
