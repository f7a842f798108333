import type { RecordedEvent } from '@weir/event-store';
import type { Answer } from '../orchestration/idempotency';
import type { Rehearsed } from '../orchestration/rehearsals';
import type { ShownPreview } from '../sites/preview-for-tenants';

const TOO_LONG = 'The request draws too much for a header to hold.';

/** A rehearsal, or what may be seen of it. */
type ShownRehearsal = Pick<Rehearsed<Answer>, 'position' | 'events' | 'result'> & { readonly leftOut: number };

/** What a dry run answers. */
export function dryRunView(
  { position, events, leftOut, result }: ShownRehearsal,
  { facts, bindings, flows, withoutBindingsOf }: ShownPreview,
  token: string | undefined,
) {
  return {
    dry_run: {
      position,
      events: events.map(eventView),
      events_left_out: leftOut,
      facts,
      bindings,
      flows,
      without_bindings_of: withoutBindingsOf,
      answer: { status: result.status, body: result.body ?? null },
      replay: token ?? null,
      ...(token === undefined ? { replay_reason: TOO_LONG } : {}),
    },
  };
}

function eventView({ stream, revision, id, type, schemaVersion, metadata, data }: RecordedEvent) {
  return { stream, revision, id, type, schema_version: schemaVersion, time: metadata.time, data };
}
