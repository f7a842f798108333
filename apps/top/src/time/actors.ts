import type { RowReader } from '@weir/event-store';
import type { IdentityStore } from '../identity/identity-store';

/** Names for the ids that events have as their actors: users, sites, and the Top itself. */
export class Actors {
  constructor(
    private readonly identities: Pick<IdentityStore, 'user'>,
    private readonly rows: RowReader,
  ) {}

  nameOf(actor: string): string {
    const site = () => this.rows.get('rm_sites', { id: actor })?.['name'] as string | undefined;
    return this.identities.user(actor)?.name ?? site() ?? actor;
  }
}
