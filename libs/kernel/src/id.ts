import { invalid } from './errors';

/** A UUID that knows what it names, so that a network's id cannot be passed for a port's. */
export type Id<Kind extends string> = string & { readonly __kind: Kind };

export type SiteId = Id<'site'>;
export type ProjectId = Id<'project'>;
export type UserId = Id<'user'>;
export type NetworkId = Id<'network'>;
export type SubnetId = Id<'subnet'>;
export type RouterId = Id<'router'>;
export type PortId = Id<'port'>;
export type ServerId = Id<'server'>;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** Parses at the edge; throws `invalid` for anything that is not a lower-case UUID. */
export function parseId<Kind extends string>(kind: Kind, text: string): Id<Kind> {
  if (!isUuid(text)) throw invalid(`'${text.slice(0, 64)}' is not a valid ${kind} id.`);
  return text as Id<Kind>;
}
