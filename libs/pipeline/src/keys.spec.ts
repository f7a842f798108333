import { inspect } from 'node:util';
import type { FactChange } from '@weir/topology';
import { KeyAllocator, KeysExhausted } from './keys';
import { KEY_LIMIT } from './limits';
import { HostSlice } from './slice';

const come = (id: string) => ({ op: 'upsert', kind: 'router', id, body: {} }) as FactChange;
const go = (id: string): FactChange => ({ op: 'delete', kind: 'router', id });

describe('an allocator of keys', () => {
  it('gives each thing the lowest free number of its kind, the same one each time', () => {
    const keys = new KeyAllocator();
    expect([keys.allocate('port', 'a'), keys.allocate('port', 'b'), keys.allocate('network', 'a')]).toEqual([1, 2, 1]);
    expect(keys.allocate('port', 'a')).toBe(1);
    keys.release('port', 'a');
    expect([keys.allocate('port', 'c'), keys.allocate('port', 'd')]).toEqual([1, 3]);
  });

  it('keeps the number of what is deleted until the bundle that deletes its rows is committed', () => {
    const keys = new KeyAllocator();
    keys.follow([come('a'), come('b')]);
    const deletion = keys.follow([go('a')]);
    expect(keys.follow([come('c')]).changes).toEqual([{ type: 'key', kind: 'router', id: 'c', key: 3 }]);
    expect(deletion.release()).toEqual([{ type: 'key', kind: 'router', id: 'a', key: undefined }]);
    expect(keys.follow([come('d')]).changes).toEqual([{ type: 'key', kind: 'router', id: 'd', key: 1 }]);
    expect(deletion.release()).toEqual([]);
  });

  it('does not free what a later batch brought back, nor what a later batch deletes', () => {
    const keys = new KeyAllocator();
    keys.follow([come('a'), come('b')]);
    const deletion = keys.follow([go('a')]);
    const later = keys.follow([come('a'), go('b')]);
    expect(deletion.release()).toEqual([]);
    expect(keys.keys.router.get('b')).toBe(2);
    expect(later.release()).toEqual([{ type: 'key', kind: 'router', id: 'b', key: undefined }]);
    expect(keys.keys.router.get('a')).toBe(1);
  });

  it('gives no key to what flows do not name by number', () => {
    expect(
      new KeyAllocator().follow([
        { op: 'delete', kind: 'binding', id: 'a' },
        { op: 'delete', kind: 'server', id: 'a' },
      ]).changes,
    ).toEqual([]);
  });

  it('goes on after a restart where it was', () => {
    const keys = new KeyAllocator();
    keys.follow([come('a'), come('b'), come('c')]);
    keys.release('router', 'a');
    const restored = KeyAllocator.restore(
      JSON.parse(JSON.stringify(keys.serialize())) as ReturnType<KeyAllocator['serialize']>,
    );
    expect(restored.keys).toEqual(keys.keys);
    expect([restored.allocate('router', 'd'), restored.allocate('router', 'e')]).toEqual([1, 4]);
  });

  it('frees after a restart what was deleted while its host was away', () => {
    const keys = KeyAllocator.restore({ router: { a: 1, b: 2 }, port: { p: 5 } });
    const freed = keys.retain(HostSlice.of([come('b')]));
    expect(freed).toEqual([
      { type: 'key', kind: 'router', id: 'a', key: undefined },
      { type: 'key', kind: 'port', id: 'p', key: undefined },
    ]);
    expect(keys.serialize()).toEqual({ network: {}, router: { b: 2 }, 'router-interface': {}, port: {} });
  });

  it('refuses a stored state that gives two things one number, or none that can be', () => {
    expect(() => KeyAllocator.restore({ port: { a: 1, b: 1 } })).toThrow('not usable');
    expect(() => KeyAllocator.restore({ port: { a: 0 } })).toThrow('not usable');
    expect(() => KeyAllocator.restore({ port: { a: KEY_LIMIT } })).toThrow('not usable');
  });

  it('says so when there is none left', () => {
    const keys = KeyAllocator.restore({ port: { last: KEY_LIMIT - 1 } });
    for (let id = 1; id < 20; id++) keys.allocate('port', `${id}`);
    expect(keys.keys.port.get('19')).toBe(19);
    const full = KeyAllocator.restore({
      port: Object.fromEntries(Array.from({ length: KEY_LIMIT - 1 }, (_, id) => [`p${id}`, id + 1])),
    });
    expect(() => full.allocate('port', 'one more')).toThrow(KeysExhausted);
  });

  it('gives nothing away in a rehearsal', () => {
    const keys = KeyAllocator.restore({ router: { a: 1, c: 3 } });
    keys.follow([go('a')]);
    const whole = () => inspect(keys, { depth: Infinity });
    const before = whole();
    const rehearsed = keys.rehearse(() => [
      ...keys.follow([come('b'), come('d')]).changes,
      ...keys.follow([]).release(),
    ]);
    expect(rehearsed).toMatchObject([
      { id: 'b', key: 2 },
      { id: 'd', key: 4 },
      { id: 'a', key: undefined },
    ]);
    expect(whole()).toBe(before);
    expect(keys.allocate('router', 'e')).toBe(2);
  });
});
