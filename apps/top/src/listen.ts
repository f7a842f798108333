import { DEFAULT_PORT } from './configuration';

const HOST = '127.0.0.1';
const TRIED_PORTS = 100;

type Listening = { listen(port: number, host: string): Promise<unknown>; getHttpServer(): unknown };

/** The asked port; by default the next free one. */
export async function listen(application: Listening, first: number, exact: boolean): Promise<number> {
  for (let port = first; ; port++) {
    try {
      await application.listen(port, HOST);
      const address = (application.getHttpServer() as { address(): { port: number } }).address();
      return address.port;
    } catch (error) {
      const inUse = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
      if (!inUse || exact || port >= DEFAULT_PORT + TRIED_PORTS) throw error;
    }
  }
}

export function addressOf(port: number): string {
  return `http://${HOST}:${port}`;
}
