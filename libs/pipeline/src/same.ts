/** Structural equality of plain values: objects, arrays, numbers, bigints, text. */
export function same(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  return keys.every(
    (key) => key in right && same((left as Record<string, unknown>)[key], (right as Record<string, unknown>)[key]),
  );
}
