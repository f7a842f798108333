import { forbidden } from '@weir/kernel';
import { keyHash } from '../key';
import type { Membership } from '../ports';
import type { JoinAnswer, JoinRequest } from '../protocol';

interface Invitation {
  readonly id: string;
  key?: string;
  used: boolean;
}

/** Single-use tokens and the keys that joined with them, kept nowhere else. */
export class MemoryMembership implements Membership {
  private readonly invitations = new Map<string, Invitation>();
  private readonly byKey = new Map<string, string>();

  constructor(private readonly generation: () => number) {}

  /** `id` may join with this token. */
  invite(token: string, id: string): void {
    this.invitations.set(token, { id, used: false });
  }

  join({ token, key }: JoinRequest): Promise<JoinAnswer> {
    const invitation = this.invitations.get(token);
    const hash = keyHash(key);
    if (!invitation || invitation.used || (invitation.key !== undefined && invitation.key !== hash))
      return Promise.reject(forbidden('The join token is unknown, or was used.'));
    invitation.key = hash;
    this.byKey.set(hash, invitation.id);
    return Promise.resolve({ id: invitation.id, generation: this.generation() });
  }

  authenticate(key: string): string | undefined {
    return this.byKey.get(keyHash(key));
  }

  followed(follower: string): Promise<void> {
    for (const invitation of this.invitations.values()) if (invitation.id === follower) invitation.used = true;
    return Promise.resolve();
  }
}
