import { WeirError } from '@weir/kernel';
import type { Resources } from '../events/index';

export class NoCapacity extends WeirError {
  constructor(asked: Resources, free: Resources) {
    super('conflict', `There is not enough free capacity: ${told(asked)} asked for, ${told(free)} free.`, {
      fields: { asked, free },
    });
  }
}

function told({ vcpus, ramMb, diskGb }: Resources): string {
  return `${vcpus} VCPUs, ${ramMb} MB RAM and ${diskGb} GB disk`;
}
