import { Bound, TooManyAtOnce } from './bound';

describe('a bound on what goes on at once', () => {
  const ends: (() => void)[] = [];
  const bound = new Bound({ what: 'dry runs', perOwner: 2, inAll: 3 });
  const long = () => new Promise<void>((resolve) => ends.push(resolve));
  const soon = (owner: string) => bound.within(owner, () => Promise.resolve('done'));

  it('refuses what is too much for one owner or in all, and takes more when something has ended or failed', async () => {
    const first = [bound.within('a', long), bound.within('a', long)];
    await expect(soon('a')).rejects.toThrow(TooManyAtOnce);
    expect(await soon('b')).toBe('done');
    await expect(bound.within('b', () => Promise.reject(new Error('a bug')))).rejects.toThrow('a bug');
    const third = bound.within('b', long);
    await expect(soon('c')).rejects.toThrow('Too many dry runs are under way; ask again.');
    ends[0]?.();
    await first[0];
    expect([await soon('a'), await soon('c')]).toEqual(['done', 'done']);
    for (const end of ends) end();
    await Promise.all([...first, third]);
  });
});
