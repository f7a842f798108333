/** Which life of a publisher is speaking; a receiver refuses a lower one than it has seen. */
export type Generation = number & { readonly __generation: true };

export function generation(value: number): Generation {
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`Not a generation: ${value}`);
  return value as Generation;
}
