import { type HeldFact, heldFactsPage } from './held-facts';

const fact = (n: number, size = 10): HeldFact => ({
  kind: n % 2 === 0 ? 'port' : 'network',
  id: String(n).padStart(5, '0'),
  position: n,
  body: { text: 'x'.repeat(size) },
});

function pages(facts: readonly HeldFact[]): (readonly HeldFact[])[] {
  const found = [];
  for (let page = heldFactsPage(facts, {}); ; page = heldFactsPage(facts, { after: page.next })) {
    found.push(page.facts);
    if (!page.next) return found;
  }
}

describe('what a site holds', () => {
  it('is told in one page where it is little', () => {
    expect(heldFactsPage([fact(2), fact(1)], {})).toEqual({ facts: [fact(1), fact(2)] });
    expect(heldFactsPage([], {})).toEqual({ facts: [] });
  });
  it('is told in pages that fit into an answer, each fact once', () => {
    const facts = Array.from({ length: 3000 }, (_, n) => fact(n, 1000));
    const told = pages(facts);
    expect(told.length).toBeGreaterThan(2);
    for (const page of told) expect(JSON.stringify(page).length).toBeLessThan(2 * 1024 * 1024);
    const ids = told.flat().map(({ kind, id }) => `${kind}/${id}`);
    expect(ids).toEqual(facts.map(({ kind, id }) => `${kind}/${id}`).sort());
  });
  it('is told also where one fact alone is more than a page', () => {
    expect(pages([fact(1, 1_500_000), fact(2), fact(3)]).map((page) => page.map(({ position }) => position))).toEqual([
      [1],
      [3, 2],
    ]);
  });
});
