import type { Capture, PingOptions, PingReport, UdpProbe } from '@weir/lab';
import type { Deployment, Instance, SiteStatus } from '@weir/lab/deployment';
import type { SwitchState } from './switches';

/** One of Weir's levels. */
export interface StagedProcess {
  kill(): Promise<void>;
  /** What it had stays; nothing to do while it runs. */
  start(): Promise<void>;
}

/** The running Weir, as its users reach it. */
export interface StagedWeir extends Pick<Deployment, 'api' | 'tenant' | 'request' | 'wait' | 'waitForSettled'> {
  /** `bottom-<site>` or `host-<name>`. */
  process(name: string): StagedProcess;
}

/** What the story is played on: sites with hosts, Weir's levels, the files that tell others of them, and a look at what instances and switches do. */
export interface Stage {
  readonly isClosing: boolean;
  readonly hosts: readonly { readonly name: string; readonly site: string }[];
  /** Throws before `startTop`. */
  readonly weir: StagedWeir;
  /** As long as kills and restarts take, or longer. */
  readonly trafficMs: number;

  /** Removes what a crashed demo left; rejects with `conflict` while one runs in this folder. */
  clear(): Promise<void>;
  /** Answers in one line what there is. */
  buildHosts(): Promise<string>;
  startTop(): Promise<void>;
  addSites(): Promise<readonly SiteStatus[]>;
  writeLabFile(): Promise<void>;
  /** Tells tools of the hosts and instances (`lab.json`), whoever made them, until the stage is closed. */
  follow(): Promise<void>;
  /** Ends and removes all but the logs. */
  close(): Promise<void>;

  switchStates(): Promise<readonly SwitchState[]>;
  /** Whether something of it is still there. */
  isPresent(instance: Instance): boolean;
  /** From inside the instance. Lost answers are a result, not an error. */
  ping(from: Instance, address: string, options: PingOptions): Promise<PingReport>;
  /** Out of the instance as they are; resolves when all are sent. */
  inject(from: Instance, frames: readonly Uint8Array[]): Promise<void>;
  /** Sees every frame that reaches the instance from when this resolves. */
  capture(at: Instance): Promise<Pick<Capture, 'waitFor' | 'stop'>>;
  /** Numbered datagrams, 100 a second. */
  probe(from: Instance, to: Instance): Promise<UdpProbe>;
}
