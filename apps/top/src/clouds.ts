import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { writeDurably } from './identity/identity-store';

/** For OpenStack's own clients: `weir` is the bootstrap admin in the demo project, `weir-demo` a tenant of it. */
export function writeClouds(
  file: string,
  address: string,
  passwords: { readonly admin: string; readonly demo: string },
): void {
  const cloud = (username: 'admin' | 'demo') => ({
    auth: {
      auth_url: `${address}/identity/v3`,
      username,
      password: passwords[username],
      project_name: 'demo',
      user_domain_name: 'Default',
      project_domain_name: 'Default',
    },
    region_name: 'weir',
    identity_api_version: '3',
  });
  mkdirSync(dirname(file), { recursive: true });
  writeDurably(file, stringify({ clouds: { weir: cloud('admin'), 'weir-demo': cloud('demo') } }));
}

const cloudsSchema = z.object({
  clouds: z.record(z.string(), z.looseObject({ auth: z.looseObject({ auth_url: z.string() }) })),
});

/** The port may be another than last time; everything else in the file stays. */
export function pointClouds(file: string, address: string): void {
  if (!existsSync(file)) return;
  const { clouds } = cloudsSchema.parse(parse(readFileSync(file, 'utf8')));
  for (const cloud of Object.values(clouds)) cloud.auth.auth_url = `${address}/identity/v3`;
  writeDurably(file, stringify({ clouds }));
}
