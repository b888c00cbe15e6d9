/** Holds a connection's snapshot, and tells when it was replaced. */

import type { ConnectionEvents } from './connection-options.js';
import type { Emitter } from './emitter.js';
import { EMPTY, type SessionState } from './state.js';

/** The only place where the state of a connection changes. */
export class Snapshot {
  #state: SessionState = EMPTY;

  constructor(private readonly emitter: Emitter<ConnectionEvents>) {}

  get state(): SessionState {
    return this.#state;
  }

  /** Change some of it. */
  set(change: Partial<SessionState>): void {
    this.replace({ ...this.#state, ...change });
  }

  /** Put another one in its place; the same one is no change. */
  replace(state: SessionState): void {
    const before = this.#state;
    if (state === before) return;
    this.#state = state;
    if (state.status !== before.status) this.emitter.emit('status', state.status);
    this.emitter.emit('state', state);
  }
}
