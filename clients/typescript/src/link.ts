/** One WebSocket from its opening to its end, which is told once. */

import { decode, type ServerFrame } from './frames.js';
import type { Platform, WebSocketClass, WebSocketLike } from './platform.js';

/** What a link tells. */
export interface LinkPort {
  opened(): void;
  frame(frame: ServerFrame): void;
  /** `code` is the WebSocket close code; 1006 where there was none. */
  ended(code: number, reason: string): void;
}

/** Application codes for closes of our own; anything but 1000 keeps the seat for a while. */
export const CLIENT_CLOSE = 3000;

/** A socket that nobody hears any more says nothing any more. */
export class Link {
  #socket: WebSocketLike | undefined;
  #port: LinkPort | undefined;
  #deadline: unknown;
  /** Local time of the last frame, in milliseconds since 1970. */
  heardAt: number;

  constructor(
    Socket: WebSocketClass,
    url: string,
    port: LinkPort,
    private readonly platform: Platform,
  ) {
    this.#port = port;
    this.heardAt = platform.now();
    const socket = new Socket(url);
    this.#socket = socket;
    socket.onopen = () => this.#port?.opened();
    socket.onerror = () => undefined; // a close follows
    socket.onmessage = (event: { data: unknown }) => {
      this.heardAt = platform.now();
      for (const frame of decode(event.data)) this.#port?.frame(frame);
    };
    socket.onclose = (event: { code?: number; reason?: string }) => this.#end(event.code ?? 1006, event.reason ?? '');
  }

  /** Send a text; on a socket that is going it is lost, and the end follows. */
  send(text: string): void {
    try {
      this.#socket?.send(text);
    } catch {
      // Not open: its close is told.
    }
  }

  /** End it unless `lift` is called within `ms`. */
  limit(ms: number, reason: string): void {
    this.lift();
    this.#deadline = this.platform.setTimeout(() => this.abandon(reason), ms);
  }

  /** Take the limit off. */
  lift(): void {
    if (this.#deadline !== undefined) this.platform.clearTimeout(this.#deadline);
    this.#deadline = undefined;
  }

  /** Give it up now, without waiting for the other side, as if the network had cut it. */
  abandon(reason: string): void {
    const socket = this.#socket;
    this.#end(1006, reason);
    try {
      socket?.close(CLIENT_CLOSE, reason);
    } catch {
      // It never opened.
    }
  }

  #end(code: number, reason: string): void {
    const port = this.#port;
    this.lift();
    this.#port = undefined;
    this.#socket = undefined;
    port?.ended(code, reason);
  }
}
