/** A clock that stands until it is moved, and a server that says what a test tells it to. */

import { Connection } from '../../src/connection.js';
import type { ConnectionSetup } from '../../src/connection-options.js';
import type { Message } from '../../src/index.js';
import type { Platform, WebSocketLike } from '../../src/platform.js';

interface Timer {
  at: number;
  work: () => void;
}

export class FakePlatform implements Platform {
  time = Date.parse('2026-11-22T09:00:00Z');
  chance = 0.5;
  #timers = new Set<Timer>();

  now = (): number => this.time;
  random = (): number => this.chance;
  setTimeout = (work: () => void, ms: number): Timer => {
    const timer = { at: this.time + ms, work };
    this.#timers.add(timer);
    return timer;
  };
  clearTimeout = (timer: unknown): void => void this.#timers.delete(timer as Timer);

  /** Move the clock, and run what is due on the way, promises included. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    await settle();
    for (;;) {
      const [next] = [...this.#timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.#timers.delete(next);
      this.time = Math.max(this.time, next.at);
      next.work();
      await settle();
    }
    this.time = end;
  }
}

/** Let promises that are done go on. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

export class FakeSocket implements WebSocketLike {
  static made: FakeSocket[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onerror: (() => void) | null = null;
  sent: { event: string; ref?: string; data: Record<string, unknown> }[] = [];
  closedWith: number | undefined;

  constructor(readonly url: string) {
    FakeSocket.made.push(this);
  }

  static get last(): FakeSocket {
    return FakeSocket.made.at(-1)!;
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(code?: number): void {
    this.closedWith = code ?? 1000;
  }

  /** What was sent of one event. */
  of(event: string) {
    return this.sent.filter((frame) => frame.event === event);
  }

  say(event: string, data: object, more: { seq?: number; ref?: string } = {}): void {
    this.onmessage?.({ data: JSON.stringify({ event, data, timestamp: '2026-11-22T09:00:00Z', ...more }) });
  }

  message(seq: number, text = `m${seq}`, more: object = {}): void {
    this.say('message_received', message(seq, text, more), { seq });
  }

  welcome(seq: number, more: object = {}): void {
    this.onopen?.();
    const self = { id: 'p', user_id: 'me', name: 'Me' };
    const welcome = { session: {}, participant: self, connection_id: 'c', epoch: 'e', seq, participants: [self] };
    const rest = { spirit: { turn: null }, recent: [], limits: {}, heartbeat_ms: 15_000, server_time: '2026-11-22T09:00:01Z' };
    this.say('welcome', { ...welcome, ...rest, ...more }, { ref: 'join' });
  }

  end(code: number): void {
    this.onclose?.({ code });
  }
}

export function message(seq: number, text = `m${seq}`, more: object = {}): Message {
  const base = { id: `id-${seq}`, session_id: 's', seq, user_id: 'other', user_name: 'Other', text, timestamp: '2026-11-22T09:00:00Z' };
  return { ...base, is_spirit: false, client_msg_id: null, in_reply_to: null, off_record: false, deleted_at: null, ...more };
}

/** A connection with a clock and sockets of the test's own. */
export function fakeConnection(options: Partial<ConnectionSetup> = {}) {
  FakeSocket.made = [];
  const platform = new FakePlatform();
  const connection = new Connection({
    url: 'ws://test/ws/s',
    WebSocket: FakeSocket as never,
    platform,
    history: async function* () {},
    ...options,
  });
  const heard: number[] = [];
  connection.on('frame', (frame) => frame.seq !== undefined && heard.push(frame.seq));
  return { connection, platform, heard };
}
