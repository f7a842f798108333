import { WeirError } from '@weir/kernel';

/** A pick of ours was taken meanwhile: pick again, nobody outside needs to know. */
export class CandidateTaken extends WeirError {
  constructor(readonly stream: string) {
    super('conflict', 'What was picked was taken by another request meanwhile. Try again.', { fields: { stream } });
  }
}

export class AlreadyTaken extends WeirError {
  constructor(readonly by: string) {
    super('conflict', `It is already taken by ${by}.`);
  }
}
