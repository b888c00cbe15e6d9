/** The heartbeat of an open connection: is the server there, what does its clock say, is the log further than we are. */

import type { ServerClock } from './clock.js';
import type { Heartbeat } from './generated/schemas.js';
import type { Link } from './link.js';
import type { Platform } from './platform.js';

/** What a heartbeat needs of its connection. */
export interface HeartbeatPort {
  /** Send one, with this `ref`. */
  beat(ref: string): void;
  /** The highest `seq` that is here. */
  position(): number;
}

/** How long an event may take to arrive after an answer that is beyond it, in milliseconds. */
const LATE_MS = 3_000;

/** Beats at once and then every `everyMs`. Silence for `timeoutMs` after a beat, or a missing tail, ends the link. */
export class Pulse {
  #sent = new Map<string, number>();
  #count = 0;
  #timer: unknown;
  #late: unknown;

  constructor(
    private readonly port: HeartbeatPort,
    private readonly link: Link,
    private readonly clock: ServerClock,
    private readonly platform: Platform,
    private readonly everyMs: number,
    private readonly timeoutMs: number,
  ) {
    this.#beat();
  }

  /** An answer came. Whether its `ref` is one of these beats. */
  answered(ref: string | undefined, data: Heartbeat): boolean {
    if (ref === undefined || !this.#sent.has(ref)) return false;
    this.clock.sample(data.server_time, this.#sent.get(ref)!);
    this.#sent.delete(ref);
    if (data.seq > this.port.position() && this.#late === undefined) {
      this.#late = this.platform.setTimeout(() => {
        this.#late = undefined;
        if (data.seq > this.port.position()) this.link.abandon('events are missing');
      }, LATE_MS);
    }
    return true;
  }

  stop(): void {
    for (const timer of [this.#timer, this.#late]) if (timer !== undefined) this.platform.clearTimeout(timer);
    this.#timer = this.#late = undefined;
  }

  #beat(): void {
    const ref = `hb-${(this.#count += 1)}`;
    const sentAt = this.platform.now();
    this.#sent = new Map([[ref, sentAt]]); // an older answer that is still missing would be no good sample
    this.port.beat(ref);
    this.#timer = this.platform.setTimeout(() => {
      if (this.link.heardAt < sentAt) return this.link.abandon('the server is silent');
      this.#timer = this.platform.setTimeout(() => this.#beat(), Math.max(0, this.everyMs - this.timeoutMs));
    }, Math.min(this.timeoutMs, this.everyMs));
  }
}
