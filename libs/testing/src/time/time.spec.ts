import { VirtualTime } from './index';

describe('virtual time', () => {
  it('stands still until it is told to pass, and then runs what is due in order', async () => {
    const time = new VirtualTime({ start: 1000 });
    const ran: string[] = [];
    time.after(20, () => ran.push(`late at ${time.now()}`));
    time.after(10, () => ran.push(`early at ${time.now()}`));
    time.after(10, () => ran.push('early, asked second'));
    time.after(15, () => ran.push('cancelled'))();
    await time.advance(9);
    expect(ran).toEqual([]);
    await time.advance(11);
    expect(ran).toEqual(['early at 1010', 'early, asked second', 'late at 1020']);
    expect([time.now(), time.monotonic()]).toEqual([1020, 20]);
  });

  it('lets promises run between two timers, and what they ask for is due in time', async () => {
    const time = new VirtualTime();
    const woke: number[] = [];
    const loop = async (): Promise<void> => {
      for (let i = 0; i < 3; i++) {
        await time.sleep(10);
        woke.push(time.monotonic());
      }
    };
    void loop();
    await time.advance(100);
    expect(woke).toEqual([10, 20, 30]);
  });

  it('passes no longer than a condition needs, and fails when that is too long', async () => {
    const time = new VirtualTime();
    let done = false;
    time.after(250, () => (done = true));
    time.after(300, () => undefined);
    await time.until(() => done);
    expect(time.monotonic()).toBe(250);
    await expect(time.until(() => false, 1000)).rejects.toThrow('Not so within 1000 ms');
  });

  it('may jump on the wall without passing', async () => {
    const time = new VirtualTime({ start: 1000 });
    let ran = false;
    time.after(10, () => (ran = true));
    time.jump(-500);
    await time.advance(5);
    expect([time.now(), time.monotonic(), ran]).toEqual([505, 5, false]);
  });
});
