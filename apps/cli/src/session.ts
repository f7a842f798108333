import { z } from 'zod';
import { WeirError } from '@weir/kernel';
import { Client } from './client';
import { findCloud } from './cloud';

/** Logged in to the cloud that environment and folder name. */
export const connect = (): Promise<Client> => Client.logIn(findCloud(process.env, process.cwd()));

export const print = (text: string): boolean => process.stdout.write(`${text}\n`);

const named = z.looseObject({ id: z.string(), name: z.string() });

export async function serverId(client: Client, name: string): Promise<string> {
  const answer = z.object({ servers: z.array(named) }).parse(await client.get('/compute/v2.1/servers'));
  return only('server', name, answer.servers);
}

export async function siteId(client: Client, name: string): Promise<string> {
  const answer = z.object({ sites: z.array(named) }).parse(await client.get('/weir/v1/sites'));
  return only('site', name, answer.sites);
}

/** The id of the one thing that is called so, by id or by name. */
export function only(
  kind: string,
  wanted: string,
  found: readonly { readonly id: string; readonly name: string }[],
): string {
  const byId = found.find((item) => item.id === wanted);
  if (byId) return byId.id;
  const [first, second] = found.filter((item) => item.name === wanted);
  if (second) throw new WeirError('conflict', `More than one ${kind} is named '${wanted}'; use its id.`);
  if (!first) throw new WeirError('not-found', `There is no ${kind} '${wanted}'.`);
  return first.id;
}
