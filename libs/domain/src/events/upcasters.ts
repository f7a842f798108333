import type { JsonObject } from '@weir/kernel';

/** Makes the data of one version into that of the next. Pure, and never changes what it was given. */
export type Upcaster = (data: JsonObject) => JsonObject;
/** By type, and by the version that it takes. */
export type Upcasters = Readonly<Record<string, Readonly<Record<number, Upcaster>>>>;

/** A type at version n has one from each version before: `{ PortBound: { 1: (data) => ({ …, …data }) } }`. Every type is at version 1 yet. */
export const upcasters: Upcasters = {};
