import { GUARANTEES, type Watch, type Watched } from './watched';

const at = (position: number, key = `k${position}`): Watched => ({ key, position, transaction: String(position) });
/** A thing that changed twice, and one transaction of two. */
const truth = [at(1), at(2, 'x'), at(3), at(4, 'x'), at(5, 'y'), at(5, 'z')];

const watch = (after: number, ...batches: readonly (readonly Watched[])[]): Watch => ({
  after,
  batches: batches.map((items) => ({ items, bookmark: items.at(-1)?.position ?? after })),
});

function broken(...watches: readonly Watch[]): readonly string[] {
  return Object.entries(GUARANTEES).flatMap(([name, wrong]) => (wrong(watches, truth).length > 0 ? [name] : []));
}

describe('the guarantees of a watch', () => {
  it('are kept by one that is given everything, in one go or in two', () => {
    expect(broken(watch(0, [at(1)], truth.slice(1)))).toEqual([]);
    expect(broken(watch(0, truth.slice(0, 3)), watch(3), watch(3, truth.slice(3)))).toEqual([]);
  });

  it('let a state be left out that was replaced', () => {
    expect(broken(watch(0, [at(1), at(3)], [at(4, 'x'), at(5, 'y'), at(5, 'z')]))).toEqual([]);
  });

  it.each<[string, readonly Watch[]]>([
    ['Ordered', [watch(0, [at(1), at(3), at(2, 'x')], truth.slice(3))]],
    ['Unique', [watch(0, [at(1), at(1)], truth.slice(1))]],
    ['Atomic', [watch(0, truth.slice(0, 5), truth.slice(5))]],
    ['Reliable', [watch(0, truth.slice(0, 3))]],
    ['Reliable', [watch(0, truth, [at(6)])]],
    ['Resumable', [watch(0, truth.slice(0, 3)), watch(3, [at(4, 'x'), at(5, 'y')], [at(5, 'z')])]],
    ['Resumable', [watch(0, truth.slice(0, 3)), watch(3, truth.slice(2))]],
    ['Bookmarkable', [watch(0, [at(1)], [at(4, 'x')], truth.slice(4))]],
  ])('are broken: %s', (name, watches) => {
    expect(broken(...watches)).toContain(name);
  });
});
