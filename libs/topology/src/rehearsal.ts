/**
 * Lets a state be changed to see what would follow, and takes all of it back: what is kept in its maps, sets and values is afterwards as it
 * was, the order of entries included. It costs what the rehearsal touches, never what there is.
 */
export class Rehearsal {
  private undos: (() => void)[] | undefined;

  get isOn(): boolean {
    return this.undos !== undefined;
  }

  /** Does `work`, which ends before it returns, and takes back what it did, also when it throws. Not while another is on. */
  run<T>(work: () => T): T {
    if (this.undos) throw new Error('A rehearsal is on already.');
    const undos: (() => void)[] = (this.undos = []);
    try {
      return work();
    } finally {
      this.undos = undefined;
      for (const undo of undos.toReversed()) undo();
    }
  }

  /** For what is neither in a map nor in a set: call it before the change; while nothing is rehearsed it does nothing. */
  before(undo: () => void): void {
    this.undos?.push(undo);
  }
}

/** What a rehearsal did to a map or set: `put` lies over it, `hidden` is taken from it. A key that was taken away and came back is in both. */
interface Layer<Key, Over> {
  readonly put: Over;
  readonly hidden: Set<Key>;
  size: number;
}

/** A map whose changes a rehearsal takes back. */
export class RehearsedMap<K, V> extends Map<K, V> {
  private layer: Layer<K, Map<K, V>> | undefined;

  constructor(private readonly rehearsal: Rehearsal) {
    super();
  }

  override get size(): number {
    return this.layer ? this.layer.size : super.size;
  }

  override get(key: K): V | undefined {
    const { layer } = this;
    if (!layer) return super.get(key);
    if (layer.put.has(key)) return layer.put.get(key);
    return layer.hidden.has(key) ? undefined : super.get(key);
  }

  override has(key: K): boolean {
    const { layer } = this;
    if (!layer) return super.has(key);
    return layer.put.has(key) || (!layer.hidden.has(key) && super.has(key));
  }

  override set(key: K, value: V): this {
    const layer = this.writable();
    if (!layer) return super.set(key, value);
    if (!this.has(key)) layer.size++;
    layer.put.set(key, value);
    return this;
  }

  override delete(key: K): boolean {
    const layer = this.writable();
    if (!layer) return super.delete(key);
    if (!this.has(key)) return false;
    layer.size--;
    layer.put.delete(key);
    if (super.has(key)) layer.hidden.add(key);
    return true;
  }

  override clear(): void {
    if (this.writable()) for (const key of [...this.keys()]) this.delete(key);
    else super.clear();
  }

  override entries(): MapIterator<[K, V]> {
    return this.layer ? this.layered(this.layer) : super.entries();
  }

  override *keys(): MapIterator<K> {
    if (!this.layer) return yield* super.keys();
    for (const [key] of this.layered(this.layer)) yield key;
  }

  override *values(): MapIterator<V> {
    if (!this.layer) return yield* super.values();
    for (const [, value] of this.layered(this.layer)) yield value;
  }

  override [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries();
  }

  override forEach(callback: (value: V, key: K, map: Map<K, V>) => void): void {
    for (const [key, value] of this) callback(value, key, this);
  }

  private *layered({ put, hidden }: Layer<K, Map<K, V>>): MapIterator<[K, V]> {
    for (const [key, value] of super.entries()) {
      if (!hidden.has(key)) yield [key, put.has(key) ? (put.get(key) as V) : value];
    }
    for (const [key, value] of put) if (hidden.has(key) || !super.has(key)) yield [key, value];
  }

  /** The layer that a change goes into; undefined when it is meant. */
  private writable(): Layer<K, Map<K, V>> | undefined {
    if (!this.rehearsal.isOn || this.layer) return this.layer;
    this.layer = { put: new Map(), hidden: new Set(), size: super.size };
    this.rehearsal.before(() => (this.layer = undefined));
    return this.layer;
  }
}

/** A set whose changes a rehearsal takes back. */
export class RehearsedSet<T> extends Set<T> {
  private layer: Layer<T, Set<T>> | undefined;

  constructor(
    private readonly rehearsal: Rehearsal,
    first?: T,
  ) {
    super();
    if (first !== undefined) super.add(first);
  }

  override get size(): number {
    return this.layer ? this.layer.size : super.size;
  }

  override has(value: T): boolean {
    const { layer } = this;
    if (!layer) return super.has(value);
    return layer.put.has(value) || (!layer.hidden.has(value) && super.has(value));
  }

  override add(value: T): this {
    const layer = this.writable();
    if (!layer) return super.add(value);
    if (this.has(value)) return this;
    layer.size++;
    layer.put.add(value);
    return this;
  }

  override delete(value: T): boolean {
    const layer = this.writable();
    if (!layer) return super.delete(value);
    if (!this.has(value)) return false;
    layer.size--;
    layer.put.delete(value);
    if (super.has(value)) layer.hidden.add(value);
    return true;
  }

  override clear(): void {
    if (this.writable()) for (const value of [...this]) this.delete(value);
    else super.clear();
  }

  override values(): SetIterator<T> {
    return this.layer ? this.layered(this.layer) : super.values();
  }

  override keys(): SetIterator<T> {
    return this.values();
  }

  override *entries(): SetIterator<[T, T]> {
    for (const value of this) yield [value, value];
  }

  override [Symbol.iterator](): SetIterator<T> {
    return this.values();
  }

  override forEach(callback: (value: T, same: T, set: Set<T>) => void): void {
    for (const value of this) callback(value, value, this);
  }

  private *layered({ put, hidden }: Layer<T, Set<T>>): SetIterator<T> {
    for (const value of super.values()) if (!hidden.has(value)) yield value;
    yield* put;
  }

  private writable(): Layer<T, Set<T>> | undefined {
    if (!this.rehearsal.isOn || this.layer) return this.layer;
    this.layer = { put: new Set(), hidden: new Set(), size: super.size };
    this.rehearsal.before(() => (this.layer = undefined));
    return this.layer;
  }
}
