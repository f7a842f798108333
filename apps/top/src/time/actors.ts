import type { RowReader } from '@weir/event-store';
import type { IdentityStore } from '../identity/identity-store';

/** Names for the ids that stand in events: users, sites and the Top itself as actors, and projects. */
export class Actors {
  constructor(
    private readonly identities: Pick<IdentityStore, 'user' | 'projectNamed'>,
    private readonly rows: RowReader,
  ) {}

  nameOf(actor: string): string {
    const site = () => this.rows.get('rm_sites', { id: actor })?.['name'] as string | undefined;
    return this.identities.user(actor)?.name ?? site() ?? actor;
  }

  /** Not a site, nor the Top itself. */
  isUser(actor: string): boolean {
    return this.identities.user(actor) !== undefined;
  }

  /** A project as its name or its id. */
  projectId(named: string): string {
    return this.identities.projectNamed(named)?.id ?? named;
  }
}
