import type { ControllerState, StoredState } from '../controller-state';

/** What a host keeps, in text as on a disk. */
export class MemoryControllerState implements ControllerState {
  private text: string | undefined;

  read(): StoredState | undefined {
    return this.text === undefined ? undefined : (JSON.parse(this.text) as StoredState);
  }

  write(state: StoredState): void {
    this.text = JSON.stringify(state);
  }
}
