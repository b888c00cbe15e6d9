/** An estimate of the server's clock. */

interface Sample {
  rttMs: number;
  offsetMs: number;
}

const KEPT = 8;

/**
 * Server time = local time + `offsetMs`. Each answer that names the server's time gives one sample, off by half its
 * round trip at most; the sample with the shortest round trip of the last eight counts.
 */
export class ServerClock {
  #samples: Sample[] = [];
  readonly #now: () => number;

  /** `now` is the local clock, in milliseconds since 1970. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The server said `serverTime` (RFC 3339) in answer to something sent at `sentAt`, local ms; it is here now. */
  sample(serverTime: string, sentAt: number): void {
    const receivedAt = this.#now();
    const told = Date.parse(serverTime);
    if (Number.isNaN(told)) return;
    const rttMs = Math.max(0, receivedAt - sentAt);
    this.#samples = [...this.#samples, { rttMs, offsetMs: told - (sentAt + receivedAt) / 2 }].slice(-KEPT);
  }

  /** Forget the samples, because the local clock may have jumped or slept. The estimate stays until the next one. */
  expire(): void {
    const best = this.#best();
    this.#samples = best ? [{ ...best, rttMs: Number.POSITIVE_INFINITY }] : [];
  }

  /** Milliseconds to add to the local clock; 0 before the first sample. */
  get offsetMs(): number {
    return this.#best()?.offsetMs ?? 0;
  }

  /** Half the shortest round trip: the estimate is at most this far off, in ms. `Infinity` if nothing fresh is known. */
  get errorMs(): number {
    return (this.#best()?.rttMs ?? Number.POSITIVE_INFINITY) / 2;
  }

  /** The server's time now, in milliseconds since 1970. */
  now(): number {
    return this.#now() + this.offsetMs;
  }

  #best(): Sample | undefined {
    return this.#samples.reduce<Sample | undefined>((best, one) => (best && best.rttMs <= one.rttMs ? best : one), undefined);
  }
}
