import Database from 'better-sqlite3';
import type { Anchor, LogProblem } from '../port';
import { type LogRow, LogVerifier } from '../verify';
import { readOpenSeal, strayId } from './open-seal';
import { earlierLayout } from './schema';

/** Events read in one transaction: a long one would keep the WAL from being moved. */
const BATCH = 1000;
/** Of SQLite's own findings; where one page is broken there are hundreds. */
const MAX_FILE_PROBLEMS = 20;

interface StoredRow extends Omit<LogRow, 'digest'> {
  readonly digest: unknown;
}

export function* inspectFile(file: string, anchors: readonly Anchor[]): Generator<LogProblem> {
  let db: Database.Database;
  try {
    db = new Database(file, { readonly: true, fileMustExist: true });
  } catch (error) {
    yield { position: 0, problem: 'file', detail: messageOf(error) };
    return;
  }
  try {
    yield* inspectLog(db, anchors);
  } finally {
    db.close();
  }
}

/** Everything that is wrong with the log in this file: the events first, in order, then SQLite's own integrity check. */
export function* inspectLog(db: Database.Database, anchors: readonly Anchor[] = []): Generator<LogProblem> {
  const layout = layoutOf(db);
  if (layout !== undefined) {
    const detail = `not verified: the file has the earlier layout ${layout}; open a copy of it once, which takes it over, and verify that`;
    yield { position: 0, problem: 'file', detail };
    return;
  }
  let found = 0;
  for (const problem of inspectEvents(db, anchors)) {
    found++;
    yield problem;
  }
  // Events that are wrong explain ids that are.
  if (found === 0) yield* inspectIds(db);
  try {
    const told = db.pragma(`integrity_check(${MAX_FILE_PROBLEMS})`) as { readonly integrity_check: string }[];
    for (const { integrity_check: detail } of told) {
      if (detail !== 'ok') yield { position: 0, problem: 'file', detail };
    }
  } catch (error) {
    yield { position: 0, problem: 'file', detail: messageOf(error) };
  }
}

function layoutOf(db: Database.Database): number | undefined {
  try {
    return earlierLayout(db);
  } catch {
    // What cannot be read is told by the events.
    return undefined;
  }
}

function* inspectEvents(db: Database.Database, anchors: readonly Anchor[]): Generator<LogProblem> {
  const verifier = new LogVerifier(anchors);
  try {
    const select = db.prepare<[number, number], StoredRow>(
      'select position, stream, revision, id, type, schema_version as schemaVersion, data, metadata, digest, previous from events where position > ? order by position limit ?',
    );
    // Rows and what is open at one moment, while the log goes on.
    const read = db.transaction((after: number) => ({ rows: select.all(after, BATCH), open: readOpenSeal(db) }));
    for (let after = Number.MIN_SAFE_INTEGER; ; after = verifier.position) {
      const { rows, open } = read(after);
      for (const row of rows) {
        const digest = Buffer.isBuffer(row.digest) ? row.digest.toString('hex') : '';
        yield* verifier.next({ ...row, digest });
      }
      if (rows.length === BATCH) continue;
      yield* verifier.end(open);
      break;
    }
  } catch (error) {
    yield { position: verifier.position + 1, problem: 'unreadable', detail: messageOf(error) };
  }
}

function* inspectIds(db: Database.Database): Generator<LogProblem> {
  try {
    const position = strayId(db);
    if (position !== undefined) yield { position, problem: 'file', detail: 'the table of ids differs from the events' };
  } catch (error) {
    yield { position: 0, problem: 'file', detail: messageOf(error) };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
