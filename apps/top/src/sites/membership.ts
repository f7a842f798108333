import { createHash } from 'node:crypto';
import type { JoinAnswer, JoinRequest, Membership } from '@weir/cascade';
import { joinSite, useJoinToken } from '@weir/domain';
import type { RowReader } from '@weir/event-store';
import { forbidden, type SiteId } from '@weir/kernel';
import type { Run } from './intake';

/** SHA-256, hex: what the log keeps of tokens and keys. Both are 32 random bytes, so that a plain hash is enough. */
export function secretHash(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** A site joins by its token, once, and is known by its key from then on. */
export class SiteMembership implements Membership {
  constructor(
    private readonly rows: RowReader,
    private readonly run: Run,
    private readonly generation: () => number,
  ) {}

  async join({ token, key }: JoinRequest): Promise<JoinAnswer> {
    const tokenHash = secretHash(token);
    const [row] = this.rows.live('rm_sites', { join_token_hash: tokenHash });
    if (!row) throw forbidden('The join token is not valid.');
    const siteId = row['id'] as SiteId;
    await this.run(originOf(siteId), { command: () => joinSite({ siteId, tokenHash, keyHash: secretHash(key) }) });
    return { id: siteId, generation: this.generation() };
  }

  authenticate(key: string): string | undefined {
    const [row] = this.rows.live('rm_sites', { key_hash: secretHash(key) });
    return row?.['id'] as string | undefined;
  }

  async followed(follower: string): Promise<void> {
    const siteId = follower as SiteId;
    if (this.rows.get('rm_sites', { id: siteId })?.['join_token_used'] === 1) return;
    await this.run(originOf(siteId), { command: () => useJoinToken({ siteId }) });
  }
}

function originOf(site: SiteId) {
  return { requestId: `site-${site}`, actor: site, projectId: undefined };
}
