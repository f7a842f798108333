import type { RowReader } from '@weir/event-store';
import { notFound } from '@weir/kernel';
import type { IdentityStore } from '../identity/identity-store';

/** Whom tenants are told of where a site did it, or the Top by itself. */
export const OPERATOR = 'operator';

/** Names for the ids that stand in events: users, sites and the Top itself as actors, and projects. */
export class Actors {
  constructor(
    private readonly identities: Pick<IdentityStore, 'user' | 'project' | 'projectNamed'>,
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

  /** A project as its name or its id; throws `not-found`, since nothing ever changed in one that is misspelt. */
  projectId(named: string): string {
    const project = this.identities.projectNamed(named) ?? this.identities.project(named);
    if (!project) throw notFound(`There is no project '${named.slice(0, 64)}'.`);
    return project.id;
  }
}
