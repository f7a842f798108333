import { type ServerId, WeirError } from '@weir/kernel';

export class ServerNotFound extends WeirError {
  constructor(server: ServerId) {
    super('not-found', `Instance ${server} could not be found.`);
  }
}

/** Thrown where flavors are looked up; Nova answers 400. */
export class FlavorNotFound extends WeirError {
  constructor(flavor: string) {
    super('invalid', `Flavor ${flavor.slice(0, 255)} could not be found.`);
  }
}

/** Thrown where images are looked up; Nova answers 400. */
export class ImageNotFound extends WeirError {
  constructor(image: string) {
    super('invalid', `Can not find requested image ${image.slice(0, 255)}.`);
  }
}

export class ServerBeingDeleted extends WeirError {
  constructor(server: ServerId) {
    super('conflict', `Cannot change instance ${server} while it is in task_state deleting.`);
  }
}
