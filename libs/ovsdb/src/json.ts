import type { Json, JsonObject } from '@weir/kernel';
import { OvsdbMalformed } from './errors';

/** Throws OvsdbMalformed, naming `what`. */
export function asObject(value: Json | undefined, what: string): JsonObject {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new OvsdbMalformed(`${what} is not an object.`);
  }
  return value as JsonObject;
}

/** Throws OvsdbMalformed, naming `what`. */
export function asArray(value: Json | undefined, what: string): readonly Json[] {
  if (!Array.isArray(value)) throw new OvsdbMalformed(`${what} is not an array.`);
  return value as readonly Json[];
}
