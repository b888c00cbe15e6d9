/**
 * The client's side of RFC 6455 over `node:http` and `node:https`: text frames, fragments, pings, closes; no extensions.
 * Only the part of the standard `WebSocket` that `Connection` uses.
 */

import { createHash, randomBytes } from 'node:crypto';
import { request as http } from 'node:http';
import { request as https } from 'node:https';
import type { Socket } from 'node:net';
import type { WebSocketLike } from '../platform.js';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const TEXT = 0x1;
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;
const MAX_BYTES = 16 * 2 ** 20;
const CLOSE_WAIT_MS = 3_000;

/** A WebSocket class for `JoinOptions.WebSocket`. */
export class NodeWebSocket implements WebSocketLike {
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  #socket: Socket | undefined;
  #cancel: () => void;
  #buffer: Buffer = Buffer.alloc(0);
  #parts: Buffer[] = [];
  #code = 1006;
  #reason = '';
  #isClosing = false;
  #isOver = false;

  /** Opens at once. `url` is `ws://…` or `wss://…`. */
  constructor(url: string, protocols: string | string[] = []) {
    const key = randomBytes(16).toString('base64');
    const { href } = new URL(url);
    const offered = [protocols].flat().join(', ');
    const request = (href.startsWith('wss:') ? https : http)(href.replace(/^ws/, 'http'), {
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': key,
        ...(offered ? { 'Sec-WebSocket-Protocol': offered } : {}),
      },
    });
    this.#cancel = () => request.destroy();
    request.on('error', () => this.#end());
    request.on('response', () => request.destroy()); // no upgrade: refused
    request.on('close', () => this.#socket ?? this.#end());
    request.on('upgrade', (response, socket, head) => {
      const expected = createHash('sha1').update(key + GUID).digest('base64');
      if (response.headers['sec-websocket-accept'] !== expected) return void socket.destroy();
      this.#take(socket as Socket, head);
    });
    request.end();
  }

  /** Send a text frame; throws before the opening, as the standard one does. */
  send(text: string): void {
    if (!this.#socket) throw new Error('The WebSocket is not open.');
    if (!this.#isClosing) this.#write(TEXT, Buffer.from(text));
  }

  /** Begin to close; the other side has three seconds to answer. */
  close(code = 1000, reason = ''): void {
    if (!this.#socket) return this.#cancel();
    if (this.#isClosing) return;
    const body = Buffer.alloc(2 + Buffer.byteLength(reason));
    body.writeUInt16BE(code);
    body.write(reason, 2);
    this.#write(CLOSE, body);
    this.#isClosing = true;
    setTimeout(() => this.#socket?.destroy(), CLOSE_WAIT_MS).unref();
  }

  #take(socket: Socket, head: Buffer): void {
    this.#socket = socket;
    this.#cancel = () => socket.destroy();
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.destroy());
    socket.on('close', () => this.#end());
    this.onopen?.({} as never);
    socket.on('data', (chunk) => this.#read(chunk));
    if (head.length > 0) this.#read(head);
  }

  #read(chunk: Buffer): void {
    this.#buffer = this.#buffer.length > 0 ? Buffer.concat([this.#buffer, chunk]) : chunk;
    for (let frame = this.#next(); frame && !this.#isOver; frame = this.#next()) this.#frame(...frame);
  }

  /** The next whole frame in the buffer: its first byte and its body. */
  #next(): [number, Buffer] | undefined {
    const buffer = this.#buffer;
    if (buffer.length < 2) return undefined;
    let length = buffer[1]! & 0x7f;
    let start = 2;
    if (length === 126) [length, start] = [buffer.length < 4 ? 0 : buffer.readUInt16BE(2), 4];
    else if (length === 127) [length, start] = [buffer.length < 10 ? 0 : Number(buffer.readBigUInt64BE(2)), 10];
    if (length > MAX_BYTES) return void this.#socket?.destroy();
    if (buffer.length < start + length) return undefined;
    this.#buffer = buffer.subarray(start + length);
    return [buffer[0]!, buffer.subarray(start, start + length)];
  }

  #frame(first: number, body: Buffer): void {
    const opcode = first & 0x0f;
    if (opcode === PING) return this.#write(PONG, body);
    if (opcode === PONG) return;
    if (opcode === CLOSE) {
      this.#code = body.length >= 2 ? body.readUInt16BE() : 1005;
      this.#reason = body.subarray(2).toString();
      if (!this.#isClosing) this.#write(CLOSE, body.subarray(0, 2));
      this.#isClosing = true;
      return void this.#socket?.end();
    }
    this.#parts.push(body);
    if (!(first & 0x80)) return;
    const data = Buffer.concat(this.#parts).toString();
    this.#parts = [];
    this.onmessage?.({ data } as never);
  }

  /** A client masks every frame. */
  #write(opcode: number, body: Buffer): void {
    const size = body.length;
    const extended = size < 126 ? 0 : size < 2 ** 16 ? 2 : 8;
    const frame = Buffer.alloc(2 + extended + 4 + size);
    frame[0] = 0x80 | opcode;
    frame[1] = 0x80 | (extended === 0 ? size : extended === 2 ? 126 : 127);
    if (extended === 2) frame.writeUInt16BE(size, 2);
    if (extended === 8) frame.writeBigUInt64BE(BigInt(size), 2);
    const mask = randomBytes(4);
    mask.copy(frame, 2 + extended);
    const start = 6 + extended;
    for (let i = 0; i < size; i += 1) frame[start + i] = body[i]! ^ mask[i & 3]!;
    this.#socket?.write(frame);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.onclose?.({ code: this.#code, reason: this.#reason } as never);
  }
}
