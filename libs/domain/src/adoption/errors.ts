import { WeirError } from '@weir/kernel';

export interface AdoptionConflict {
  readonly kind: string;
  readonly id: string;
  /** Why the log cannot take it. */
  readonly message: string;
}

/** In the message; the rest is counted. */
const SHOWN = 20;

/** The log has given away what some of them hold, or lacks what they hang on; nothing was adopted. */
export class AdoptionConflicts extends WeirError {
  constructor(readonly conflicts: readonly AdoptionConflict[]) {
    const shown = conflicts.slice(0, SHOWN).map(({ kind, id, message }) => `${kind} ${id}: ${message}`);
    const more = conflicts.length > SHOWN ? ` And ${conflicts.length - SHOWN} more.` : '';
    super('conflict', `Nothing was adopted, since the log cannot take all of it. ${shown.join(' ')}${more}`, {
      fields: { conflicts: conflicts.length },
    });
  }
}
