/** Where the planchette is at a moment of a board script. Pure: no clock, no timers. */

import type { Move } from './generated/schemas.js';

/** A point in layout units, from the top left. */
export interface Point {
  x: number;
  y: number;
}

/** What is needed of a script: a `board_script`, or the moves that `spirit_move` brought so far. */
export interface ScriptLike {
  /** In order of `i`. */
  moves: readonly Move[];
  /** Milliseconds; default: the end of the last move. */
  duration_ms?: number;
}

/** The share of a way, 0–1, that is done after the share `p`, 0–1, of its time. */
export type Easing = (p: number) => number;

/** Slow, fast, slow. */
export const easeInOut: Easing = (p) => (p < 0.5 ? 4 * p ** 3 : 1 - (2 - 2 * p) ** 3 / 2);

/** As fast everywhere. */
export const linear: Easing = (p) => p;

/** The rest of the board `classic-en@1`, where every script begins. */
export const REST: Point = { x: 800, y: 640 };

/** How to read a script. */
export interface ReadOptions {
  easing?: Easing;
  /** Where the planchette is before the first move; default `REST`. */
  from?: Point;
}

/** The planchette at one moment. */
export interface Position extends Point {
  /**
   * - `before`: the script has not begun.
   * - `travel`: on the way to the place of `move`.
   * - `dwell`: there, for `dwell_ms`. A `nudge` is a letter said twice.
   * - `done`: after the last move that is known.
   */
  phase: 'before' | 'travel' | 'dwell' | 'done';
  /** The present move, or the last one; null before the first. */
  move: Move | null;
  /** The letter or word that the lens shows; null on the way, in pauses and at rest. */
  glyph: string | null;
  /** What was spelt so far, spaces between the words. */
  spelt: string;
  /** Milliseconds since the start of the script; `Infinity` where only its end is shown. */
  t: number;
}

/** Where the planchette is `t` milliseconds after the script's start. `Infinity` is its end, with everything spelt. */
export function positionAt(script: ScriptLike, t: number, options: ReadOptions = {}): Position {
  const { easing = easeInOut, from = REST } = options;
  const { moves } = script;
  const at = lastStarted(moves, t);
  const move = moves[at];
  if (move === undefined) return { ...spot(from), phase: 'before', move: null, glyph: null, spelt: '', t };
  const since = t - move.t_ms;
  if (since < move.travel_ms) {
    const start = moves[at - 1] ?? from;
    const p = easing(since / move.travel_ms);
    const x = start.x + (move.x - start.x) * p;
    const y = start.y + (move.y - start.y) * p;
    return { x, y, phase: 'travel', move, glyph: null, spelt: spell(moves, at), t };
  }
  const isDone = at === moves.length - 1 && t >= durationOf(script);
  const glyph = isDone ? null : move.glyph;
  return { ...spot(move), phase: isDone ? 'done' : 'dwell', move, glyph, spelt: spell(moves, at + 1), t };
}

/** How long a script takes, in milliseconds, as far as its moves are known. */
export function durationOf({ moves, duration_ms }: ScriptLike): number {
  const last = moves.at(-1);
  return duration_ms ?? (last ? last.t_ms + last.travel_ms + last.dwell_ms : 0);
}

/** The number of the last move that began at or before `t`; -1 if none did. */
function lastStarted(moves: readonly Move[], t: number): number {
  let [low, high] = [0, moves.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (moves[middle]!.t_ms <= t) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function spell(moves: readonly Move[], count: number): string {
  let text = '';
  for (const { glyph, kind } of moves.slice(0, count)) text += kind === 'pause' ? ' ' : (glyph ?? '');
  return text.trimEnd();
}

function spot({ x, y }: Point): Point {
  return { x, y };
}
