import type { Ip, PortId } from '@weir/kernel';

export const KEY_KINDS = ['network', 'router', 'router-interface', 'port'] as const;

/** What has a number of its own on this host: metadata, reg3, reg9, reg1 and reg2. */
export type KeyKind = (typeof KEY_KINDS)[number];

export type Keys = { readonly [K in KeyKind]: ReadonlyMap<string, number> };

/** What the host allotted and learned: everything that the compiler needs beside facts. */
export interface Environment {
  readonly localPorts: ReadonlyMap<PortId, { readonly ofport: number }>;
  readonly keys: Keys;
  /** The ofport of the flow-based tunnel port; until it is there, other hosts do not exist. */
  readonly tunnelPort: number | undefined;
  /** This host's own tunnel endpoint. */
  readonly tunnelAddress: Ip | undefined;
}

export type EnvironmentChange =
  | { readonly type: 'local-port'; readonly port: PortId; readonly ofport: number | undefined }
  | { readonly type: 'key'; readonly kind: KeyKind; readonly id: string; readonly key: number | undefined }
  | { readonly type: 'tunnel'; readonly port: number | undefined; readonly address: Ip | undefined };

/** The changes that lead from nothing to this environment. */
export function environmentChanges(environment: Environment): EnvironmentChange[] {
  const changes: EnvironmentChange[] = [
    { type: 'tunnel', port: environment.tunnelPort, address: environment.tunnelAddress },
  ];
  for (const kind of KEY_KINDS) {
    for (const [id, key] of environment.keys[kind]) changes.push({ type: 'key', kind, id, key });
  }
  for (const [port, { ofport }] of environment.localPorts) changes.push({ type: 'local-port', port, ofport });
  return changes;
}
