import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const FILE_HEADER = 24;
const RECORD_HEADER = 16;
const LENGTH_AT = 8;

/** The frames that Open vSwitch has appended to a pcap file since the last look. It flushes each frame as a whole. */
export class PcapTail {
  private readonly file: number;
  private at = FILE_HEADER;

  constructor(path: string) {
    this.file = openSync(path, 'r');
  }

  read(): Uint8Array[] {
    const size = fstatSync(this.file).size;
    if (size <= this.at) return [];
    const bytes = Buffer.alloc(size - this.at);
    readSync(this.file, bytes, 0, bytes.length, this.at);
    this.at = size;
    const frames: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const length = bytes.readUInt32LE(at + LENGTH_AT);
      frames.push(new Uint8Array(bytes.subarray(at + RECORD_HEADER, at + RECORD_HEADER + length)));
      at += RECORD_HEADER + length;
    }
    return frames;
  }

  close(): void {
    closeSync(this.file);
  }
}
