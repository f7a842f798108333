import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { invalid } from '@weir/kernel';
import type { ProcessIdentity } from './processes';

/** Everything of a lab that outlives the process that made it. Links are not listed: each goes with its namespace. */
export interface LabState {
  readonly id: string;
  readonly owner: ProcessIdentity;
  /** Written down before they are made. */
  readonly namespaces: readonly string[];
  readonly processes: readonly ProcessIdentity[];
  /** The folders of the hosts and what else goes with the lab, and the short name of the lab's folder if it needs one. */
  readonly folders: readonly string[];
  readonly shortcut: string | null;
}

const STATE_FILE = 'lab-state.json';

export function statePath(directory: string): string {
  return join(directory, STATE_FILE);
}

/** Undefined where no lab was left. */
export function readState(directory: string): LabState | undefined {
  let text: string;
  try {
    text = readFileSync(statePath(directory), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as LabState;
  } catch (cause) {
    throw invalid(`${statePath(directory)} cannot be read.`, { cause });
  }
}

/** The state of a living lab; each change is on disk before what it announces happens. */
export class LabRecord {
  constructor(
    readonly directory: string,
    private current: LabState,
  ) {
    mkdirSync(directory, { recursive: true });
    this.save();
  }

  get state(): LabState {
    return this.current;
  }

  addNamespace(name: string): void {
    this.change({ namespaces: [...this.current.namespaces, name] });
  }

  removeNamespace(name: string): void {
    this.change({ namespaces: this.current.namespaces.filter((other) => other !== name) });
  }

  addProcess(process: ProcessIdentity): void {
    this.change({ processes: [...this.current.processes, process] });
  }

  removeProcess(pid: number): void {
    this.change({ processes: this.current.processes.filter((other) => other.pid !== pid) });
  }

  addFolder(path: string): void {
    this.change({ folders: [...this.current.folders, path] });
  }

  private change(change: Partial<LabState>): void {
    this.current = { ...this.current, ...change };
    this.save();
  }

  private save(): void {
    const path = statePath(this.directory);
    writeFileSync(`${path}.new`, JSON.stringify(this.current, null, 2), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
}
