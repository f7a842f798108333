export interface Resources {
  readonly vcpus: number;
  readonly ramMb: number;
  readonly diskGb: number;
}

export interface Need extends Resources {
  readonly zone: string;
}

/** A host that was configured once, whether it is heard now or not. */
export interface Room {
  readonly host: string;
  readonly zone: string;
  readonly totals: Resources;
  readonly free: Resources;
  readonly reachable: boolean;
}

/**
 * - `placed`: on this host, from now on.
 * - `waiting`: no host of the zone is known yet (`no-host`), one that may have room is silent (`silent`), or there is no room now (`full`).
 * - `impossible`: no configured host could ever hold it.
 */
export type Verdict =
  | { readonly situation: 'placed'; readonly host: string }
  | { readonly situation: 'waiting'; readonly why: 'no-host' | 'silent' | 'full' }
  | { readonly situation: 'impossible'; readonly message: string };

/** The host of the zone that keeps the largest share free of what it then has least of; of equals the first by name. */
export function place(need: Need, rooms: readonly Room[]): Verdict {
  const zone = rooms.filter((room) => room.zone === need.zone);
  if (zone.length === 0) return { situation: 'waiting', why: 'no-host' };
  const able = zone.filter((room) => fits(need, room.totals));
  if (able.length === 0) {
    const asked = `${need.vcpus} vCPU, ${need.ramMb} MB of RAM and ${need.diskGb} GB of disk`;
    return { situation: 'impossible', message: `No host of zone '${need.zone}' can hold ${asked}.` };
  }
  const roomy = able.filter((room) => fits(need, room.free));
  const best = roomy.filter((room) => room.reachable).sort((a, b) => compare(need, a, b))[0];
  if (best) return { situation: 'placed', host: best.host };
  return { situation: 'waiting', why: roomy.length > 0 ? 'silent' : 'full' };
}

/** One after the other, each with the room that those before it leave. */
export function placeInOrder<N extends Need>(
  needs: readonly N[],
  rooms: readonly Room[],
): readonly { readonly need: N; readonly verdict: Verdict }[] {
  const left = [...rooms];
  return needs.map((need) => {
    const verdict = place(need, left);
    if (verdict.situation === 'placed') {
      const at = left.findIndex((room) => room.host === verdict.host);
      const room = left[at];
      if (room) left[at] = { ...room, free: subtract(room.free, need) };
    }
    return { need, verdict };
  });
}

export function subtract(from: Resources, taken: Resources): Resources {
  return {
    vcpus: from.vcpus - taken.vcpus,
    ramMb: from.ramMb - taken.ramMb,
    diskGb: from.diskGb - taken.diskGb,
  };
}

export function add(one: Resources, other: Resources): Resources {
  return { vcpus: one.vcpus + other.vcpus, ramMb: one.ramMb + other.ramMb, diskGb: one.diskGb + other.diskGb };
}

export const NOTHING: Resources = { vcpus: 0, ramMb: 0, diskGb: 0 };

function fits(need: Resources, room: Resources): boolean {
  return need.vcpus <= room.vcpus && need.ramMb <= room.ramMb && need.diskGb <= room.diskGb;
}

function compare(need: Resources, a: Room, b: Room): number {
  return share(need, b) - share(need, a) || (a.host < b.host ? -1 : 1);
}

function share(need: Resources, { free, totals }: Room): number {
  const left = subtract(free, need);
  const shares = [
    [left.vcpus, totals.vcpus],
    [left.ramMb, totals.ramMb],
    [left.diskGb, totals.diskGb],
  ] as const;
  return Math.min(...shares.map(([rest, total]) => (total === 0 ? 1 : rest / total)));
}
