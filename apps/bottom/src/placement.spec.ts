import { place, type Need, type Room } from './placement';

const totals = { vcpus: 8, ramMb: 16_384, diskGb: 100 };
const tiny: Need = { zone: 'a', vcpus: 1, ramMb: 128, diskGb: 1 };

const room = (host: string, given: Partial<Room> = {}): Room => ({
  host,
  zone: 'a',
  totals,
  free: totals,
  reachable: true,
  ...given,
});

describe('placement', () => {
  it('takes the host with most room, by what the server then leaves least of', () => {
    const rooms = [
      room('little-ram', { free: { ...totals, ramMb: 256 } }),
      room('half', { free: { vcpus: 4, ramMb: 8192, diskGb: 50 } }),
    ];
    expect(place(tiny, rooms)).toEqual({ situation: 'placed', host: 'half' });
  });

  it('takes the first by name of equals, in whatever order they are known', () => {
    expect(place(tiny, [room('h2'), room('h1')])).toEqual({ situation: 'placed', host: 'h1' });
    expect(place(tiny, [room('h1'), room('h2')])).toEqual({ situation: 'placed', host: 'h1' });
  });

  it('keeps to the zone', () => {
    expect(place(tiny, [room('h1', { zone: 'b' }), room('h2', { free: { ...totals, vcpus: 1 } })])).toEqual({
      situation: 'placed',
      host: 'h2',
    });
  });

  it('waits while no host of the zone is known', () => {
    expect(place(tiny, [room('h1', { zone: 'b' })])).toEqual({ situation: 'waiting', why: 'no-host' });
  });

  it('waits for a silent host that may have room, rather than fail', () => {
    const full = room('h1', { free: { ...totals, vcpus: 0 } });
    expect(place(tiny, [full, room('h2', { reachable: false })])).toEqual({ situation: 'waiting', why: 'silent' });
  });

  it('waits for room where all is taken', () => {
    expect(place(tiny, [room('h1', { free: { ...totals, diskGb: 0 } })])).toEqual({
      situation: 'waiting',
      why: 'full',
    });
  });

  it('says so when no configured host could ever hold it, silent ones included', () => {
    const verdict = place({ ...tiny, vcpus: 9 }, [room('h1'), room('h2', { reachable: false })]);
    expect(verdict).toEqual({
      situation: 'impossible',
      message: "No host of zone 'a' can hold 9 vCPU, 128 MB of RAM and 1 GB of disk.",
    });
    const big = room('h3', { totals: { ...totals, vcpus: 16 }, reachable: false });
    expect(place({ ...tiny, vcpus: 9 }, [room('h1'), big])).toMatchObject({ situation: 'waiting' });
  });

  it('places on a host without disk what asks for none', () => {
    const diskless = room('h1', { totals: { ...totals, diskGb: 0 }, free: { ...totals, diskGb: 0 } });
    expect(place({ ...tiny, diskGb: 0 }, [diskless])).toEqual({ situation: 'placed', host: 'h1' });
  });
});
