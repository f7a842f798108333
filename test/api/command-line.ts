import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { buildPrograms, ROOT } from '../e2e/programs';
import type { TopWorld } from './top-world';

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The weir command as it is in the source now. */
export async function buildCommandLine(): Promise<void> {
  await buildPrograms();
}

/** The built command, logged in as one of the users. */
export function weir(world: TopWorld, who: 'admin' | 'demo', ...given: readonly string[]): Promise<Ended> {
  const clouds = join(world.state, `${who}-clouds.yaml`);
  const auth = { auth_url: `${world.address}/identity/v3`, username: who, password: world.password(who) };
  writeFileSync(clouds, stringify({ clouds: { weir: { auth: { ...auth, project_name: who } } } }));
  const command = [join(ROOT, 'apps', 'cli', 'bin', 'weir.js'), ...given];
  const env = { ...process.env, OS_CLIENT_CONFIG_FILE: clouds };
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: ROOT, env }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    );
  });
}
