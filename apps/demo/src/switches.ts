import { conflict } from '@weir/kernel';
import { type LabHost, ovsOfctl, ovsVsctl } from '@weir/lab';

/** What a host's switch holds: flows without their counters, and ports by name. */
export interface SwitchState {
  readonly host: string;
  readonly flows: ReadonlySet<string>;
  readonly ports: ReadonlySet<string>;
}

export async function switchStates(hosts: readonly LabHost[]): Promise<readonly SwitchState[]> {
  return Promise.all(
    hosts.map(async (host) => {
      const [flows, ports] = await Promise.all([
        ovsOfctl(host, ['--no-stats', 'dump-flows']),
        ovsVsctl(host, ['list-ports', host.bridge]),
      ]);
      return { host: host.name, flows: linesOf(flows, 'priority='), ports: linesOf(ports, '') };
    }),
  );
}

function linesOf(text: string, containing: string): ReadonlySet<string> {
  const lines = text.split('\n').map((line) => line.trim());
  return new Set(lines.filter((line) => line !== '' && line.includes(containing)));
}

/** Throws, naming what differs first, unless every host's flows and ports are the same. */
export function expectSame(before: readonly SwitchState[], after: readonly SwitchState[]): void {
  for (const [index, { host, flows, ports }] of before.entries()) {
    const now = after[index];
    for (const [what, had, has] of [
      ['flows', flows, now?.flows],
      ['ports', ports, now?.ports],
    ] as const) {
      const added = [...(has ?? [])].filter((line) => !had.has(line));
      const removed = [...had].filter((line) => has?.has(line) !== true);
      const [example] = [...added, ...removed];
      if (example !== undefined) {
        throw conflict(
          `${host} had ${had.size} ${what} before and has ${has?.size ?? 0}; one that differs: ${example}`,
        );
      }
    }
  }
}

export function countsOf(states: readonly SwitchState[]): string {
  return states
    .map(
      ({ host, flows, ports }) =>
        `${host} ${flows.size} flows and ${ports.size} ${ports.size === 1 ? 'port' : 'ports'}`,
    )
    .join('; ');
}
