import type { PostPath } from './protocol';

export interface FactsRequest {
  readonly key: string;
  readonly generation: number;
  readonly after: number;
  readonly digest: string;
}

export type FactsEnd =
  | { readonly reason: 'refused'; readonly status: number; readonly body: unknown }
  | { readonly reason: 'ended'; readonly cause?: unknown };

export interface FactsHandlers {
  /** Text of the stream, cut anywhere. */
  onChunk(text: string): void;
  /** Once, unless the stream was closed from this side. */
  onEnd(end: FactsEnd): void;
}

export interface FactsHandle {
  /** Stops the flow until `resume`; the publisher's writes then wait. */
  pause(): void;
  resume(): void;
  /** No handler is called any more. */
  close(): void;
}

export interface PostAnswer {
  readonly status: number;
  /** The parsed JSON of the answer; undefined without any. */
  readonly body: unknown;
}

export interface PostOptions {
  readonly key?: string;
  readonly signal?: AbortSignal;
}

/** A follower's way to its publisher. Handlers are called later, never from within `openFacts`; `post` rejects when no answer came. */
export interface Transport {
  openFacts(request: FactsRequest, handlers: FactsHandlers): FactsHandle;
  post(path: PostPath, body: unknown, options: PostOptions): Promise<PostAnswer>;
  close(): void;
}

/** The publisher's end of one follower's stream. */
export interface OutgoingStream {
  /** False: what was written waits in memory, and no more should be until `drain`. */
  write(line: string): boolean;
  onDrain(handler: () => void): void;
  /** Calls it later also when the stream is closed already. */
  onClose(handler: () => void): void;
  close(): void;
}
