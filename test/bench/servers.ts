import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..');

export interface Server {
  readonly address: string;
  stop(): Promise<void>;
}

/** A Top's own process, as `npm run build` has left it. */
export function startTop(state: string): Promise<Server> {
  return start([join(ROOT, 'apps/top/dist/main.js'), '--state', state, '--port', '0']);
}

/** A program of this folder, from its source. */
export function startProgram(file: string, ...arguments_: readonly string[]): Promise<Server> {
  return start([...process.execArgv, join(ROOT, 'scripts', 'run-ts.mjs'), join(__dirname, file), ...arguments_]);
}

/** Resolves when it says where it listens. */
async function start(command: readonly string[]): Promise<Server> {
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  const listening = new Promise<string>((resolve) => {
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      const address = /^\{"listening":"([^"]+)"\}$/m.exec(output)?.[1];
      if (address !== undefined) resolve(address);
    });
  });
  const address = await Promise.race([listening, exit.then(() => undefined)]);
  if (address === undefined) throw new Error(`A server ended before it listened: ${command.join(' ')}`);
  const stop = async () => {
    child.kill('SIGTERM');
    await exit;
  };
  return { address, stop };
}
