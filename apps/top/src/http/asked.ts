import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { canonicalJson, invalid } from '@weir/kernel';
import { one, type RawQuery, single } from '@weir/openstack-api';
import type { Caller } from '../identity/authentication';

/** What a client asks of its request beside the request itself. */
export interface Asked {
  readonly dryRun: boolean | undefined;
  readonly replay: string | undefined;
  readonly key: string | undefined;
}

/** Undefined where nothing is; throws `invalid` for what cannot be meant. */
export function askedBy({ query, headers }: FastifyRequest): Asked | undefined {
  const dryRun = single(query as RawQuery, 'dry_run');
  const replay = one(headers['x-weir-replay']);
  const key = one(headers['idempotency-key']);
  if (dryRun === undefined && replay === undefined && key === undefined) return undefined;
  if (dryRun !== undefined && dryRun !== 'true' && dryRun !== 'false') throw invalid("dry_run is 'true' or 'false'.");
  if (dryRun === 'true' && replay !== undefined) throw invalid('A replay cannot be rehearsed; send it or dry_run.');
  if (key !== undefined && !/^[\x20-\x7e]{1,255}$/.test(key))
    throw invalid('Idempotency-Key has 1 to 255 printable characters.');
  return { dryRun: dryRun === undefined ? undefined : dryRun === 'true', replay, key };
}

/** Equal for the same request of the same user in the same project, whether it is rehearsed or not. */
export function fingerprintOf({ method, url, body }: FastifyRequest, caller: Caller): string {
  const { pathname, searchParams } = new URL(url, 'http://top');
  searchParams.delete('dry_run');
  searchParams.sort();
  const request = [method, pathname, [...searchParams], body ?? null, caller.userId, caller.projectId ?? null];
  return createHash('sha256').update(canonicalJson(request)).digest('base64url');
}
