import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { invalid } from '@weir/kernel';

/** What we read of a cloud in `clouds.yaml`, the file that OpenStack's own clients use. */
const cloudSchema = z.object({
  auth: z.object({
    auth_url: z.url(),
    username: z.string(),
    password: z.string(),
    project_name: z.string().optional(),
    user_domain_name: z.string().default('Default'),
    project_domain_name: z.string().default('Default'),
  }),
});
export type Cloud = z.output<typeof cloudSchema>;

const DEMO_CLOUDS = '.weir/demo/clouds.yaml';

/** The cloud named by `OS_CLOUD`, found where OpenStack's clients look; else cloud `weir` of the running demo. */
export function findCloud(environment: Readonly<Record<string, string | undefined>>, folder: string): Cloud {
  const name = environment['OS_CLOUD'];
  const files =
    environment['OS_CLIENT_CONFIG_FILE'] !== undefined
      ? [environment['OS_CLIENT_CONFIG_FILE']]
      : name === undefined
        ? [join(folder, DEMO_CLOUDS)]
        : [
            join(folder, 'clouds.yaml'),
            join(homedir(), '.config/openstack/clouds.yaml'),
            '/etc/openstack/clouds.yaml',
            join(folder, DEMO_CLOUDS),
          ];
  const wanted = name ?? 'weir';
  for (const file of files) {
    if (!existsSync(file)) continue;
    const parsed = z.object({ clouds: z.record(z.string(), z.unknown()) }).safeParse(parse(readFileSync(file, 'utf8')));
    const cloud = parsed.success ? parsed.data.clouds[wanted] : undefined;
    if (cloud === undefined) continue;
    const result = cloudSchema.safeParse(cloud);
    if (!result.success)
      throw invalid(`The cloud '${wanted}' in ${file} needs auth_url, username and password under 'auth'.`);
    return result.data;
  }
  const hint =
    name === undefined ? 'Is the demo running (npm run demo)? Or set OS_CLOUD.' : `Looked in ${files.join(', ')}.`;
  throw invalid(`There is no cloud '${wanted}'. ${hint}`);
}
