/** What the library needs of its surroundings, so that tests can put a clock of their own in its place. */

/** Time, timers and chance. All times are milliseconds. */
export interface Platform {
  /** The local clock: milliseconds since 1970. */
  now(): number;
  /** A number in [0, 1). */
  random(): number;
  setTimeout(work: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** The real ones. */
export const PLATFORM: Platform = {
  now: () => Date.now(),
  random: () => Math.random(),
  setTimeout: (work, ms) => globalThis.setTimeout(work, ms),
  clearTimeout: (timer) => globalThis.clearTimeout(timer as number),
};

/** The part of the standard `WebSocket` that is used here. */
export interface WebSocketLike {
  send(text: string): void;
  close(code?: number, reason?: string): void;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
}

/** A standard `WebSocket` class. */
export type WebSocketClass = new (url: string, protocols?: string | string[]) => WebSocketLike;

/** A random id of 32 hexadecimal digits; also where `crypto.randomUUID` is missing, as on plain http. */
export function newId(): string {
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
