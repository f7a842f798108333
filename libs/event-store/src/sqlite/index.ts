export { verifySqliteFile } from './inspection';
export { SqliteReader } from './reader';
export { openSqliteEventStore, SqliteEventStore, type SqliteEventStoreOptions } from './store';
