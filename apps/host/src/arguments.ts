import { isAbsolute, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { invalid, ipVersion, parseIp } from '@weir/kernel';
import type { HostDescription } from '@weir/local-controller';

export const USAGE = `weir-host --bottom URL --token T --name N --zone Z --vcpus N --ram-mb N --disk-gb N --hypervisor namespace
          --ovsdb unix:PATH --netns NS --tunnel-ip IP --state DIR [--datapath netdev|system] [--bridge br-int] [--openflow unix:PATH]

  --bottom URL            of this site's Bottom: what stands in its DIR/url
  --token T               what stands in the Bottom's DIR/host-token
  --name N                of this host, once in its site
  --zone Z                the zone's name inside the site
  --vcpus, --ram-mb, --disk-gb
                          what instances may take in all
  --hypervisor namespace  instances are network namespaces
  --ovsdb unix:PATH       of ovsdb-server
  --netns NS              the network namespace in which Open vSwitch runs
  --tunnel-ip IP          of this host in the underlay
  --state DIR             this host's folder
  --datapath D            netdev (in user space, the default) or system (in the kernel)
  --bridge B              br-int unless said; made by the Host, never another's
  --openflow unix:PATH    the bridge's management socket; beside that of ovsdb-server unless said
`;

export interface Arguments {
  readonly bottom: string;
  readonly token: string;
  readonly host: HostDescription;
  /** Paths of sockets. */
  readonly ovsdb: string;
  readonly openflow: string;
  readonly netns: string;
  readonly state: string;
  readonly bridge: { readonly name: string; readonly datapathType: 'netdev' | 'system' };
}

/** As at the Bottom, which refuses others. */
const HOST_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const NETNS = /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/;
/** A device's name has at most 15 characters. */
const BRIDGE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/;

/** Undefined where help was asked for; throws `invalid` with what is wrong. */
export function argumentsOf(argv: readonly string[]): Arguments | undefined {
  const text = { type: 'string' } as const;
  const { values } = parsed(() =>
    parseArgs({
      args: [...argv],
      options: {
        bottom: text,
        token: text,
        name: text,
        zone: text,
        vcpus: text,
        'ram-mb': text,
        'disk-gb': text,
        hypervisor: text,
        ovsdb: text,
        openflow: text,
        netns: text,
        'tunnel-ip': text,
        state: text,
        datapath: text,
        bridge: text,
        help: { type: 'boolean' },
      },
    }),
  );
  if (values.help === true) return undefined;
  const given = (name: Exclude<keyof typeof values, 'help'>): string => {
    const value = values[name];
    if (value === undefined || value === '') throw invalid(`--${name} is missing.`);
    return value;
  };
  const matching = (name: 'name' | 'netns', pattern: RegExp): string => {
    const value = given(name);
    if (!pattern.test(value)) throw invalid(`--${name} '${value}' is not a name.`);
    return value;
  };
  const amount = (name: 'vcpus' | 'ram-mb' | 'disk-gb', least: number): number => {
    const value = Number(given(name));
    if (!Number.isSafeInteger(value) || value < least) throw invalid(`--${name} is a whole number from ${least} on.`);
    return value;
  };
  const hypervisor = given('hypervisor');
  if (hypervisor !== 'namespace') throw invalid(`--hypervisor '${hypervisor}' is not possible here: 'namespace' is.`);
  const datapathType = values.datapath ?? 'netdev';
  if (datapathType !== 'netdev' && datapathType !== 'system') throw invalid('--datapath is netdev or system.');
  const bridge = values.bridge ?? 'br-int';
  if (!BRIDGE.test(bridge)) throw invalid(`--bridge '${bridge}' cannot be the name of a bridge.`);
  const zone = given('zone');
  if (zone.length > 255) throw invalid('--zone has at most 255 characters.');
  const endpoint = parseIp(given('tunnel-ip'));
  if (ipVersion(endpoint) !== 4) throw invalid('--tunnel-ip is an IPv4 address.');
  const ovsdb = socketOf('ovsdb', given('ovsdb'));
  return {
    bottom: urlOf(given('bottom')),
    token: given('token'),
    host: {
      name: matching('name', HOST_NAME),
      zone,
      vcpus: amount('vcpus', 1),
      ramMb: amount('ram-mb', 1),
      diskGb: amount('disk-gb', 0),
      hypervisor,
      endpoint,
    },
    ovsdb,
    openflow:
      values.openflow === undefined ? join(dirname(ovsdb), `${bridge}.mgmt`) : socketOf('openflow', values.openflow),
    netns: matching('netns', NETNS),
    state: given('state'),
    bridge: { name: bridge, datapathType },
  };
}

function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw invalid(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function socketOf(name: string, value: string): string {
  const path = value.startsWith('unix:') ? value.slice('unix:'.length) : '';
  if (!isAbsolute(path)) throw invalid(`--${name} is unix: and the absolute path of a socket.`);
  return path;
}

function urlOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw invalid(`--bottom '${text}' is not an http URL.`);
  return text;
}
