import { Choices } from './choices';

/** Draws 1, 2, 3 … */
function counter() {
  let drawn = 0;
  return () => ++drawn;
}

describe('the choices of a request', () => {
  it('are drawn once, and handed out again in order', () => {
    const draw = counter();
    const first = new Choices();
    expect([first.next('id', draw), first.next('mac', draw), first.next('id', draw)]).toEqual([1, 2, 3]);
    const again = new Choices(first.all);
    expect([again.next('id', draw), again.next('mac', draw), again.next('id', draw)]).toEqual([1, 2, 3]);
    expect(again.next('id', draw)).toBe(4);
  });

  it('are drawn anew from where another kind is asked for', () => {
    const draw = counter();
    const again = new Choices([
      ['id', 'a'],
      ['mac', 'b'],
      ['id', 'c'],
    ]);
    expect([again.next('id', draw), again.next('address', draw), again.next('id', draw)]).toEqual(['a', 1, 2]);
  });

  it('forget the draws of a try that came to nothing, and hand none of them out again', () => {
    const draw = counter();
    const choices = new Choices([
      ['id', 'a'],
      ['address', 'taken'],
    ]);
    choices.next('id', draw);
    choices.next('address', draw);
    choices.keep(1);
    expect(choices.next('address', draw)).toBe(1);
    expect(choices.all).toEqual([
      ['id', 'a'],
      ['address', 1],
    ]);
  });
});
