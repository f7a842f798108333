import type { BottomProcess } from './bottom-process';
import type { HostProcess } from './host-process';

/** One site of a world. */
export interface Site {
  readonly id: string;
  readonly name: string;
  readonly bottom: BottomProcess;
  readonly hosts: readonly HostProcess[];
}
