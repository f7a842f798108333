// The least that creating a port over HTTP can cost: Nest's handler appends the same events and rows, and does nothing else.
import 'reflect-metadata';
import { join } from 'node:path';
import { Body, Controller, Inject, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { streams, views } from '@weir/domain';
import { type NewEvent, NO_STREAM } from '@weir/event-store';
import { openSqliteEventStore, type SqliteEventStore } from '@weir/event-store/sqlite';
import { buildWorker } from '@weir/event-store/testing';
import {
  type Ip,
  type JsonObject,
  macFromBytes,
  type NetworkId,
  type PortId,
  silentLogger,
  type SubnetId,
  systemClock,
  systemRandom,
  systemTimers,
  uuid7,
} from '@weir/kernel';

const STORE = Symbol('store');
const actor = systemRandom.uuid();
const projectId = systemRandom.uuid();
const networkId = systemRandom.uuid() as NetworkId;
const subnetId = systemRandom.uuid() as SubnetId;
let created = 0;

@Controller('ports')
class Ports {
  constructor(@Inject(STORE) private readonly store: SqliteEventStore) {}

  @Post()
  async create(@Body() body: { readonly port: { readonly name: string } }): Promise<object> {
    const correlation = `req-${systemRandom.uuid()}`;
    const time = new Date(systemClock.now()).toISOString();
    const metadata = { correlation, causation: correlation, actor, project: projectId, time };
    const event = (type: string, data: JsonObject): NewEvent[] => [
      { id: uuid7(systemClock, systemRandom), type, schemaVersion: 1, data, metadata },
    ];
    const portId = systemRandom.uuid() as PortId;
    // Counted: nothing is taken twice, so nothing has to be tried again.
    const number = ++created;
    const bytes = [(number >> 16) & 255, (number >> 8) & 255, number & 255] as const;
    const mac = macFromBytes(Uint8Array.from([0xfa, 0x16, 0x3e, ...bytes]));
    const ip = `10.${bytes.join('.')}` as Ip;
    const port = {
      projectId,
      networkId,
      mac,
      name: body.port.name,
      description: '',
      adminStateUp: true,
      portSecurityEnabled: true,
      fixedIps: [{ subnetId, ip }],
      deviceId: '',
      deviceOwner: '',
    };
    await this.store.append({
      writes: [
        { stream: streams.mac(networkId, mac), expected: NO_STREAM, events: event('Taken', { by: portId }) },
        { stream: streams.port(portId), expected: NO_STREAM, events: event('PortCreated', port) },
        { stream: streams.address(subnetId, ip), expected: NO_STREAM, events: event('Taken', { by: portId }) },
      ],
      checks: [{ stream: streams.network(networkId), expected: NO_STREAM }],
    });
    return { port: { id: portId, ...port } };
  }
}

async function main(folder: string): Promise<void> {
  const store = await openSqliteEventStore({
    file: join(folder, 'events.db'),
    views,
    logger: silentLogger,
    timers: systemTimers,
    workerPath: await buildWorker(),
  });
  class Bare {}
  Module({ controllers: [Ports], providers: [{ provide: STORE, useValue: store }] })(Bare);
  const application = await NestFactory.create<NestFastifyApplication>(Bare, new FastifyAdapter());
  await application.listen(0, '127.0.0.1');
  process.once('SIGTERM', () => {
    void application
      .close()
      .then(() => store.close())
      .then(() => process.exit(0));
  });
  process.stdout.write(`${JSON.stringify({ listening: await application.getUrl() })}\n`);
}

void main(process.argv[2] ?? '');
