import { AsyncLocalStorage } from 'node:async_hooks';
import type { CommandLog } from '@weir/event-store';
import type { Branch } from '@weir/event-store/branch';
import { Choices } from './choices';

/** What is special about the request under way; most have none. */
export interface RequestScope {
  readonly choices: Choices;
  /** Commands read and append here. */
  readonly log: CommandLog;
  /** The request is only rehearsed: reads see the branch, and nothing outside may change. */
  readonly branch?: Branch;
}

const scopes = new AsyncLocalStorage<{ readonly scope: RequestScope; ended: boolean }>();

/** Undefined behind the end of the request too: what it set going may go on for long. */
export function currentScope(): RequestScope | undefined {
  const running = scopes.getStore();
  return running === undefined || running.ended ? undefined : running.scope;
}

export async function within<T>(scope: RequestScope, work: () => Promise<T>): Promise<T> {
  const running = { scope, ended: false };
  try {
    return await scopes.run(running, work);
  } finally {
    running.ended = true;
  }
}

/** What is drawn and not decided goes through here, so that a replay gets the same. `draw` answers JSON. */
export function chosen<T>(kind: string, draw: () => T): T {
  const scope = currentScope();
  return scope ? scope.choices.next(kind, draw) : draw();
}

/** Remembers what was drawn so far; calling the answer drops what was drawn since, for a try that came to nothing. */
export function tryFromHere(): () => void {
  const choices = currentScope()?.choices;
  const count = choices?.all.length ?? 0;
  return () => choices?.keep(count);
}

/** For what no log can take back, and for what others do because of it. */
export function unlessRehearsed<T>(effect: () => T): T | undefined {
  return currentScope()?.branch ? undefined : effect();
}
