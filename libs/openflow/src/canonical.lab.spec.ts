import { silentLogger, systemClock, systemTimers } from '@weir/kernel';
import { connectOpenFlow, type OpenFlowConnection } from './connection';
import { type LabSwitch, startSwitch } from './lab';

let lab: LabSwitch;
let connection: OpenFlowConnection;
beforeAll(async () => {
  lab = await startSwitch();
  connection = await connectOpenFlow({ path: lab.socket, logger: silentLogger, clock: systemClock, timers: systemTimers });
}, 30_000);
afterAll(async () => {
  await connection?.close();
  await lab?.stop();
});
it('x', async () => {
  console.log(await connection.ports(), connection.datapathId, await connection.flows());
});
