import { existsSync } from 'node:fs';
import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { conflict } from '@weir/kernel';
import { endProcess, isAlive, processesIn } from './processes';
import { type LabState, readState, statePath } from './record';
import { netnsPath, run } from './run';

/** Ends and removes all that the state names. Whatever is gone already is no error, so it may be interrupted and called again. */
export async function tearDown(directory: string, state: LabState): Promise<void> {
  const namespaces = state.namespaces.filter((name) => existsSync(netnsPath(name)));
  const wired = (await Promise.all(namespaces.map((name) => namespacesWiredTo(name)))).flat();
  const all = [...new Set([...namespaces, ...wired])];
  await Promise.all(state.processes.map((process) => endProcess(process)));
  // A process inside a namespace of the lab belongs to it, whoever started it: a probe, an instance's DHCP client, a shell.
  await Promise.all(processesIn(all).map((process) => endProcess(process)));
  await deleteNamespaces(all);
  await Promise.all(state.folders.map((folder) => rm(folder, { recursive: true, force: true })));
  if (state.shortcut !== null) await rm(state.shortcut, { force: true });
  await rm(statePath(directory), { force: true });
  if ((await readdir(directory).catch(() => ['unknown'])).length === 0) await rmdir(directory);
}

export async function deleteNamespaces(names: readonly string[]): Promise<void> {
  const present = names.filter((name) => existsSync(netnsPath(name)));
  if (present.length > 0)
    await run('ip', ['-batch', '-'], { input: present.map((name) => `netns del ${name}\n`).join('') });
}

/**
 * Cleans up after a lab whose maker died; answers whether there was one. A process is ended only if it is still the one
 * that was written down. Rejects with `conflict` while the maker lives.
 */
export async function destroyLeftovers(directory: string): Promise<boolean> {
  const state = readState(directory);
  if (state === undefined) return false;
  if (isAlive(state.owner)) {
    throw conflict(`The lab in ${directory} is in use by process ${state.owner.pid} (${state.owner.commandLine}).`);
  }
  await tearDown(directory, state);
  return true;
}

/** The same for every lab directly under a folder; those in use stay. Answers the folders cleaned. */
export async function destroyLeftoversUnder(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
  const cleaned: string[] = [];
  for (const entry of entries.filter((candidate) => candidate.isDirectory())) {
    const directory = join(root, entry.name);
    const state = readState(directory);
    if (state === undefined || isAlive(state.owner)) continue;
    await tearDown(directory, state);
    cleaned.push(directory);
  }
  return cleaned;
}

/** Instances that a Host made hang by a veth on the host's namespace; their own namespaces carry no lab id. */
async function namespacesWiredTo(netns: string): Promise<string[]> {
  // As text: iproute2's JSON has the peer's number only, not its name.
  const { stdout } = await run('ip', ['-n', netns, '-oneline', 'link', 'show', 'type', 'veth']);
  return [...stdout.matchAll(/link-netns (weir-\S+)/g)].map(([, name = '']) => name);
}
