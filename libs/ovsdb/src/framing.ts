import type { Json } from '@weir/kernel';
import { OvsdbMalformed } from './errors';

export interface FramingLimits {
  readonly maxBytes: number;
  readonly maxDepth: number;
}

/** The reply to a monitor holds every row asked for; 64 MiB are about 100,000 ports. OVSDB's own values nest 7 deep. */
export const DEFAULT_LIMITS: FramingLimits = { maxBytes: 64 * 1024 * 1024, maxDepth: 64 };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const WHITESPACE: readonly number[] = [0x20, 0x09, 0x0a, 0x0d];

/**
 * Cuts a byte stream into JSON objects, which OVSDB sends without anything between them. Works on bytes (in UTF-8 no
 * part of a longer character looks like a bracket or a quote), so that a chunk may end anywhere.
 * Throws OvsdbMalformed, after which it must not be used again.
 */
export class JsonSplitter {
  private pending: Uint8Array[] = [];
  private pendingBytes = 0;
  private depth = 0;
  private inString = false;
  private escaped = false;

  constructor(private readonly limits: FramingLimits = DEFAULT_LIMITS) {}

  *push(chunk: Uint8Array): Generator<Json> {
    let start = 0;
    for (let i = 0; i < chunk.length; i++) {
      if (!this.endsMessage(chunk[i] ?? 0)) {
        if (this.depth === 0) start = i + 1;
        continue;
      }
      this.keep(chunk.subarray(start, i + 1));
      start = i + 1;
      yield this.takeMessage();
    }
    if (start < chunk.length) this.keep(chunk.subarray(start));
  }

  private endsMessage(byte: number): boolean {
    if (this.inString) {
      if (this.escaped) this.escaped = false;
      else if (byte === BACKSLASH) this.escaped = true;
      else if (byte === QUOTE) this.inString = false;
      return false;
    }
    if (this.depth === 0 && byte !== OPEN_BRACE && !WHITESPACE.includes(byte)) {
      throw new OvsdbMalformed(`A JSON-RPC message starts with byte 0x${byte.toString(16)}, not with '{'.`);
    }
    switch (byte) {
      case QUOTE:
        this.inString = true;
        return false;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        this.depth++;
        if (this.depth > this.limits.maxDepth) {
          throw new OvsdbMalformed(`A JSON-RPC message nests deeper than ${this.limits.maxDepth}.`);
        }
        return false;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        this.depth--;
        return this.depth === 0;
      default:
        return false;
    }
  }

  private keep(bytes: Uint8Array): void {
    this.pendingBytes += bytes.length;
    if (this.pendingBytes > this.limits.maxBytes) {
      throw new OvsdbMalformed(`A JSON-RPC message is longer than ${this.limits.maxBytes} bytes.`);
    }
    this.pending.push(bytes);
  }

  private takeMessage(): Json {
    const bytes = Buffer.concat(this.pending);
    this.pending = [];
    this.pendingBytes = 0;
    try {
      return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Json;
    } catch (cause) {
      throw new OvsdbMalformed('A JSON-RPC message is not valid JSON in UTF-8.', { cause });
    }
  }
}
