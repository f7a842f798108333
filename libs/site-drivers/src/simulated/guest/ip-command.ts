import { cidrRange, type Cidr, type Ip, ipFromBigInt } from '@weir/kernel';
import { type Command, type CommandContext, NotSimulated } from './command';
import type { GuestInterface } from './guest-interface';

interface Asked {
  readonly object: string;
  readonly device: string | undefined;
  readonly isOneline: boolean;
}

const FOR_EVER = 'valid_lft forever preferred_lft forever';

/** `ip [-4] [-o] address|link|route|neighbour [show] [dev NAME]`, as iproute2 writes it. */
export const ip: Command = (args, context) => {
  const asked = parse(args);
  const { stack, output } = context;
  if (asked.device !== undefined && asked.device !== 'lo' && !stack.all.some(({ name }) => name === asked.device)) {
    output.complain(`Device "${asked.device}" does not exist.`);
    return 1;
  }
  for (const line of linesOf(asked, context)) output.say(line);
  return 0;
};

function parse(args: readonly string[]): Asked {
  const rest = [...args];
  let isOneline = false;
  while (rest[0]?.startsWith('-')) {
    const flag = rest.shift() ?? '';
    if (['-o', '-oneline'].includes(flag)) isOneline = true;
    else if (flag !== '-4') throw new NotSimulated(`ip ${flag}`);
  }
  const word = rest.shift() ?? '';
  const object = ['address', 'link', 'route', 'neighbour'].find((name) => word !== '' && name.startsWith(word));
  const found = word === 'neighbor' ? 'neighbour' : object;
  if (found === undefined) throw new NotSimulated(`ip ${word}`.trimEnd());
  if (['show', 'list', 'ls'].includes(rest[0] ?? '')) rest.shift();
  if (rest[0] === 'dev') rest.shift();
  const device = rest.shift();
  if (rest.length > 0) throw new NotSimulated(`ip ${args.join(' ')}`);
  return { object: found, device, isOneline };
}

function linesOf({ object, device, isOneline }: Asked, { stack }: CommandContext): readonly string[] {
  const isAsked = (name: string) => device === undefined || device === name;
  if (object === 'route') {
    return stack.routes().flatMap((route) => {
      if (!isAsked(route.interface.name)) return [];
      const destination = route.destination === '0.0.0.0/0' ? 'default' : route.destination;
      const metric = route.metric > 0 ? ` metric ${route.metric}` : '';
      return route.via === undefined
        ? [`${destination} dev ${route.interface.name} proto kernel scope link src ${route.source}${metric} `]
        : [`${destination} via ${route.via} dev ${route.interface.name}${metric} `];
    });
  }
  if (object === 'neighbour') {
    return stack.all.flatMap((each) =>
      isAsked(each.name)
        ? each
            .known()
            .map(
              (entry) =>
                `${entry.ip} dev ${each.name} lladdr ${entry.mac} ${entry.isReachable ? 'REACHABLE' : 'STALE'} `,
            )
        : [],
    );
  }
  const links = [LOOPBACK, ...stack.all.map((each, index) => linkOf(each, index + 2))];
  return links
    .filter(({ name }) => isAsked(name))
    .flatMap((link) => (object === 'link' ? linkLines(link, isOneline) : addressLines(link, isOneline)));
}

interface Link {
  readonly index: number;
  readonly name: string;
  readonly head: string;
  readonly ether: string;
  readonly inet: string | undefined;
}

const LOOPBACK: Link = {
  index: 1,
  name: 'lo',
  head: '<LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000',
  ether: 'link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00',
  inet: 'inet 127.0.0.1/8 scope host lo',
};

function linkOf({ name, mac, mtu, lease }: GuestInterface, index: number): Link {
  return {
    index,
    name,
    head: `<BROADCAST,MULTICAST,UP,LOWER_UP> mtu ${mtu} qdisc noqueue state UP group default qlen 1000`,
    ether: `link/ether ${mac} brd ff:ff:ff:ff:ff:ff`,
    inet:
      lease &&
      `inet ${lease.address}/${lease.prefix} brd ${broadcastOf(lease.address, lease.prefix)} scope global ${name}`,
  };
}

function linkLines({ index, name, head, ether }: Link, isOneline: boolean): readonly string[] {
  return isOneline ? [`${index}: ${name}: ${head}\\    ${ether}`] : [`${index}: ${name}: ${head}`, `    ${ether}`];
}

function addressLines(link: Link, isOneline: boolean): readonly string[] {
  const { index, name, inet } = link;
  if (isOneline) return inet === undefined ? [] : [`${index}: ${name}    ${inet}\\       ${FOR_EVER}`];
  return [...linkLines(link, false), ...(inet === undefined ? [] : [`    ${inet}`, `       ${FOR_EVER}`])];
}

function broadcastOf(address: Ip, prefix: number): Ip {
  const { first } = cidrRange(`${address}/32` as Cidr);
  return ipFromBigInt(first | ((1n << BigInt(32 - prefix)) - 1n), 4);
}
