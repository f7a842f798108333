import { WeirError } from '@weir/kernel';

export class SiteNotFound extends WeirError {
  constructor(site: string) {
    super('not-found', `Site ${site} could not be found.`);
  }
}

export class SiteNameInUse extends WeirError {
  constructor(name: string) {
    super('conflict', `There is already a site named '${name}'.`);
  }
}

export class ZoneInUse extends WeirError {
  constructor(availabilityZone: string) {
    super('conflict', `The availability zone '${availabilityZone}' belongs to another site.`);
  }
}

/** The zone that a server, or a report of capacity, names is none of the site's. */
export class NoValidZone extends WeirError {
  constructor(zone: string) {
    super('invalid', `The requested availability zone '${zone}' is not available.`);
  }
}

export class SiteUnreachable extends WeirError {
  constructor(
    name: string,
    readonly since: string,
  ) {
    super('conflict', `Site '${name}' is unreachable since ${since}.`, { fields: { since } });
  }
}

export class SiteNotActive extends WeirError {
  constructor(name: string) {
    super('conflict', `Site '${name}' is not active yet: it has not taken over its configuration.`);
  }
}

export class SiteHasResources extends WeirError {
  constructor(name: string, servers: number) {
    super(
      'conflict',
      `Site '${name}' cannot be removed: ${servers} ${servers === 1 ? 'server holds' : 'servers hold'} capacity in it.`,
    );
  }
}

/** 401: not this site's token. */
export class JoinTokenUnknown extends WeirError {
  constructor() {
    super('unauthorized', 'The join token is not valid.');
  }
}

/** 403: used up, or registered with another key. */
export class JoinTokenUsed extends WeirError {
  constructor() {
    super('forbidden', 'The join token was used already.');
  }
}
