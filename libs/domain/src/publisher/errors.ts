import { WeirError } from '@weir/kernel';

export class DivergenceUnknown extends WeirError {
  constructor(site: string) {
    super(
      'conflict',
      `Site ${site} has shown nothing that the log does not know: there is nothing to decide about it.`,
    );
  }
}

export class DivergenceUnsettled extends WeirError {
  constructor(site: string) {
    super('conflict', `Site ${site} is not decided about yet.`);
  }
}
