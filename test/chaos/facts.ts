import type { PublishedChange } from '@weir/cascade';
import type { Cidr, Ip, Mac } from '@weir/kernel';
import type { FactBody, FactKind } from '@weir/topology';

const KINDS = ['network', 'subnet', 'port', 'server', 'site'] as const;
type Kind = (typeof KINDS)[number];

export type Change = Omit<PublishedChange, 'follower'>;

/** They differ in their first digits, which name the devices of instances. */
export const uuid = (kind: Kind, number: number): string =>
  `${String(number).padStart(8, '0')}-0000-4000-8000-${KINDS.indexOf(kind)}00000000000`;
const id = (kind: Kind, number: number) => uuid(kind, number) as never;

const upsert = <K extends FactKind & Kind>(kind: K, number: number, body: FactBody<K>): Change => ({
  op: 'upsert',
  kind,
  id: uuid(kind, number),
  body,
});

export const deletion = (kind: Kind, number: number): Change => ({ op: 'delete', kind, id: uuid(kind, number) });

export const network = (number: number): Change =>
  upsert('network', number, {
    id: id('network', number),
    project: 'blue',
    name: `net${number}`,
    mtu: 1450,
    segment: { type: 'vxlan', key: 10_000 + number },
  });

export const subnet = (number: number, on: number): Change =>
  upsert('subnet', number, {
    id: id('subnet', number),
    network: id('network', on),
    name: '',
    cidr: '10.1.0.0/16' as Cidr,
    gatewayIp: '10.1.0.1' as Ip,
    enableDhcp: true,
    dnsNameservers: [],
    hostRoutes: [],
    serverIp: '10.1.0.1' as Ip,
    serverMac: 'fa:16:3e:ff:ff:ff' as Mac,
  });

/** In subnet 1. */
export const port = (number: number, on: number, server: number): Change =>
  upsert('port', number, {
    id: id('port', number),
    network: id('network', on),
    project: 'blue',
    name: '',
    mac: `fa:16:3e:00:${hex(number >> 8)}:${hex(number & 255)}` as Mac,
    fixedIps: [{ subnet: id('subnet', 1), ip: `10.1.${1 + (number >> 8)}.${number & 255}` as Ip }],
    adminStateUp: true,
    portSecurity: true,
    server: id('server', server),
  });

/** With the port of its number. */
export const server = (number: number): Change =>
  upsert('server', number, {
    id: id('server', number),
    project: 'blue',
    name: `server${number}`,
    site: id('site', 1),
    zone: 'a',
    vcpus: 1,
    ramMb: 128,
    diskGb: 1,
    image: 'weir-instance',
    ports: [id('port', number)],
    power: 'on',
  });

/** Of a port on another host. */
export const binding = (number: number, endpoint = '203.0.113.9'): Change => ({
  op: 'upsert',
  kind: 'binding',
  id: uuid('port', number),
  body: { port: id('port', number), host: 'elsewhere', endpoint: endpoint as Ip } satisfies FactBody<'binding'>,
});

export const bindingDeletion = (number: number): Change => ({
  op: 'delete',
  kind: 'binding',
  id: uuid('port', number),
});

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
