/** When to come back. */

/** Bounds of the wait between two attempts, in milliseconds. */
export interface BackoffOptions {
  /** Never less; default 500. */
  minMs?: number;
  /** Never more; default 30,000. */
  maxMs?: number;
}

/**
 * Full jitter: the ceiling doubles with every attempt, from 1 s to `maxMs`, and the wait is anywhere between `minMs`
 * and the ceiling. `attempt` counts failures in a row from 0; `random` gives a number in [0, 1).
 */
export function backoffMs(attempt: number, random: () => number, options: BackoffOptions = {}): number {
  const { minMs = 500, maxMs = 30_000 } = options;
  const ceiling = Math.min(maxMs, 2 * minMs * 2 ** Math.min(attempt, 30));
  return Math.round(minMs + random() * Math.max(0, ceiling - minMs));
}
