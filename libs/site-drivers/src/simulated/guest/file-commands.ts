import type { Command, CommandContext } from './command';
import type { GuestInterface } from './guest-interface';

/** `cat FILE…`, of the few files that an instance has. */
export const cat: Command = (args, context) => {
  let status = 0;
  for (const path of args) {
    const lines = linesOf(path, context);
    if (lines === undefined) {
      context.output.complain(`cat: ${path}: No such file or directory`);
      status = 1;
    } else for (const line of lines) context.output.say(line);
  }
  return status;
};

export const hostname: Command = (_args, context) => {
  context.output.say(context.hostname);
  return 0;
};

function linesOf(path: string, { hostname: name, stack }: CommandContext): readonly string[] | undefined {
  if (path === '/etc/hostname') return [name];
  if (path === '/etc/resolv.conf') return stack.all.flatMap(resolvers);
  const of = /^\/run\/weir\/([^/]+)\/lease$/.exec(path)?.[1];
  const found = stack.all.find((each) => each.name === of);
  return found?.lease === undefined ? undefined : leaseLines(found);
}

function resolvers({ lease }: GuestInterface): readonly string[] {
  const search = lease?.domain === undefined ? [] : [`search ${lease.domain}`];
  return [...search, ...(lease?.dns ?? []).map((server) => `nameserver ${server}`)];
}

/** As the script of udhcpc in an instance of hypervisor `namespace` keeps it. */
function leaseLines({ lease }: GuestInterface): readonly string[] {
  if (!lease) return [];
  const fields: Record<string, string | number | undefined> = {
    ip: lease.address,
    mask: lease.prefix,
    router: lease.router,
    dns: lease.dns.length > 0 ? lease.dns.join(' ') : undefined,
    mtu: lease.mtu,
    lease: lease.seconds,
    serverid: lease.server,
    staticroutes:
      lease.routes.length > 0
        ? lease.routes.map(({ destination, via }) => `${destination} ${via}`).join(' ')
        : undefined,
    domain: lease.domain,
  };
  return Object.entries(fields).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]));
}
