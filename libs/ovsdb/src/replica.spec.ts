import fc from 'fast-check';
import { type JsonObject, type Logger, silentLogger } from '@weir/kernel';
import { NO_TRANSACTION } from './client';
import { OvsdbMalformed } from './errors';
import { Replica, type RowChange } from './replica';
import { decodeSchema } from './schema';
import { ovsMap, ovsSet } from './values';

const SCHEMA = decodeSchema({
  tables: {
    Port: {
      columns: {
        name: { type: 'string' },
        tag: { type: { key: { type: 'integer', minInteger: 0 }, min: 0, max: 1 } },
        trunks: { type: { key: 'integer', min: 0, max: 4096 } },
        external_ids: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } },
        fixed: { type: { key: { type: 'boolean' } } },
      },
    },
  },
});

function replica(logger: Logger = silentLogger): Replica {
  const made = new Replica({ Port: { columns: ['name', 'tag', 'trunks', 'external_ids', 'fixed'] } }, logger);
  made.useSchema(SCHEMA);
  return made;
}

const update = (snapshot: boolean, port: JsonObject) => ({
  snapshot,
  transaction: NO_TRANSACTION,
  tables: { Port: port },
});

function told(changes: readonly RowChange[]): unknown[] {
  return changes.map(({ before, after }) => [before?.text('name'), after?.text('name'), after?.integer('tag')]);
}

describe('a replica', () => {
  it('fills the columns that a new row leaves out', () => {
    const ports = replica();
    ports.apply(update(true, { p1: { initial: { name: 'a' } } }));
    const row = ports.rows('Port').get('p1');
    expect(['name', 'tag', 'trunks', 'external_ids', 'fixed'].map((column) => row?.datum(column))).toEqual([
      ['a'],
      [],
      [],
      new Map(),
      [false],
    ]);
  });

  it('takes new values of single columns and differences of the others', () => {
    const ports = replica();
    const initial = { name: 'a', tag: 1, trunks: ovsSet([1, 2]), external_ids: ovsMap({ k: 'v', gone: 'x' }) };
    ports.apply(update(true, { p1: { initial } }));
    const modify = { tag: 2, trunks: ovsSet([2, 3]), external_ids: ovsMap({ gone: 'x', new: 'y' }) };
    ports.apply(update(false, { p1: { modify } }));
    const row = ports.rows('Port').get('p1');
    expect([row?.integer('tag'), row?.datum('trunks'), row?.textMap('external_ids')]).toEqual([
      2,
      [1, 3],
      { k: 'v', new: 'y' },
    ]);
    ports.apply(update(false, { p1: { modify: { tag: ovsSet([]), trunks: 1 } } }));
    expect(ports.rows('Port').get('p1')?.integer('tag')).toBeUndefined();
    expect(ports.rows('Port').get('p1')?.datum('trunks')).toEqual([3]);
  });

  it('tells what came, changed and went', () => {
    const ports = replica();
    expect(told(ports.apply(update(true, { p1: { initial: { name: 'a' } } })))).toEqual([[undefined, 'a', undefined]]);
    expect(told(ports.apply(update(false, { p2: { insert: { name: 'b', tag: 4 } } })))).toEqual([[undefined, 'b', 4]]);
    expect(told(ports.apply(update(false, { p1: { modify: { tag: 5 } } })))).toEqual([['a', 'a', 5]]);
    expect(told(ports.apply(update(false, { p1: { delete: null } })))).toEqual([['a', undefined, undefined]]);
    expect([...ports.rows('Port').keys()]).toEqual(['p2']);
  });

  it('tells of a snapshot only what differs, whatever order the values come in', () => {
    const ports = replica();
    const row = (tag: number, ...trunks: number[]): JsonObject => ({
      initial: { name: `tag${tag}`, tag, trunks: ovsSet(trunks), external_ids: ovsMap({ a: '1', b: '2' }) },
    });
    ports.apply(update(true, { same: row(1, 1, 2), changed: row(2), gone: row(3) }));
    const again = { same: row(1, 2, 1), changed: row(20), fresh: row(4) };
    expect(told(ports.apply(update(true, again)))).toEqual([
      ['tag3', undefined, undefined],
      ['tag2', 'tag20', 20],
      [undefined, 'tag4', 4],
    ]);
    expect(ports.apply(update(true, again))).toEqual([]);
  });

  it('is complete after a snapshot without a table: all its rows are gone', () => {
    const ports = replica();
    ports.apply(update(true, { p1: { initial: { name: 'a' } } }));
    expect(told(ports.apply({ snapshot: true, transaction: NO_TRANSACTION, tables: {} }))).toEqual([
      ['a', undefined, undefined],
    ]);
    expect(ports.rows('Port').size).toBe(0);
  });

  it('ignores a table and a column that were never asked for, and logs the table', () => {
    const warnings: unknown[] = [];
    const ports = replica({ ...silentLogger, warn: (_message, fields) => warnings.push(fields) });
    const tables = { Mirror: { m1: { insert: {} } }, Port: { p1: { insert: { name: 'a', qos: 'x' } } } };
    expect(told(ports.apply({ snapshot: false, transaction: NO_TRANSACTION, tables }))).toEqual([
      [undefined, 'a', undefined],
    ]);
    expect(warnings).toEqual([{ table: 'Mirror' }]);
  });

  it.each([
    ['a change of a row never announced', { p2: { modify: { tag: 1 } } }],
    ['the end of a row never announced', { p2: { delete: null } }],
    ['no row', { p1: 7 }],
    ['an empty update', { p1: {} }],
    ['a row that is no object', { p1: { modify: [] } }],
    ['a value that is none', { p1: { modify: { tag: null } } }],
    ['a map changed by a set', { p1: { modify: { external_ids: ovsSet(['a']) } } }],
  ])('refuses %s and stays as it was', (_what, port: JsonObject) => {
    const ports = replica();
    ports.apply(update(true, { p1: { initial: { name: 'a' } } }));
    expect(() => ports.apply(update(false, { p9: { insert: { name: 'half' } }, ...port }))).toThrow(OvsdbMalformed);
    expect(() => ports.apply(update(true, { p9: { insert: { name: 'half' } }, p8: { modify: {} } }))).toThrow(
      OvsdbMalformed,
    );
    expect([...ports.rows('Port').values()].map((row) => row.text('name'))).toEqual(['a']);
  });

  it('says which column an older database does not have', () => {
    const ports = new Replica({ Port: { columns: ['name', 'cvlans'] } }, silentLogger);
    expect(() => ports.useSchema(SCHEMA)).toThrow('The database has no column Port.cvlans.');
  });

  it('throws nothing but OvsdbMalformed, whatever an update holds', () => {
    const key = fc.constantFrom(
      'initial',
      'insert',
      'modify',
      'delete',
      'name',
      'tag',
      'external_ids',
      'p1',
      'set',
      'map',
    );
    const json = fc.letrec<{ node: unknown }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom(null, 1, 'set', 'map', 'uuid'),
        fc.array(tie('node'), { maxLength: 3 }),
        fc.dictionary(key, tie('node'), { maxKeys: 3, noNullPrototype: true }),
      ),
    })).node;
    fc.assert(
      fc.property(fc.dictionary(key, json, { noNullPrototype: true }), fc.boolean(), (port, snapshot) => {
        const ports = replica();
        ports.apply(update(true, { p1: { initial: { name: 'a' } } }));
        try {
          ports.apply(update(snapshot, port as JsonObject));
        } catch (error) {
          expect(error).toBeInstanceOf(OvsdbMalformed);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('a schema', () => {
  it.each([
    ['nothing', null],
    ['no tables', {}],
    ['a table without columns', { tables: { Port: {} } }],
    ['a column without a type', { tables: { Port: { columns: { name: {} } } } }],
  ])('of %s is refused', (_what, value) => {
    expect(() => decodeSchema(value)).toThrow(OvsdbMalformed);
  });
});
