/** How a hand moves what a script only places: pure, and the same on every screen, since it hangs on the script's time. */

import type { Position } from '@seance/client';

/** Where to draw the planchette: layout units, and degrees. */
export interface Pose {
  x: number;
  y: number;
  turn: number;
}

const SWAY = 9; // units, at the middle of a way
const TREMBLE = 2.4; // units, while it stands on a letter

/** The pose at a moment. `still` is for those who want as little motion as possible. */
export function poseOf(position: Position, still = false): Pose {
  const { x, y, move, phase, t } = position;
  const lean = ((x - 800) / 800) * 13; // towards the hands, which come from the front
  if (still || move === null || phase === 'before' || phase === 'done') return { x, y, turn: still ? 0 : lean };
  const seed = move.i * 2.399; // the golden angle: no two ways sway alike
  if (phase === 'travel') {
    const share = Math.sin(Math.PI * Math.min(1, (t - move.t_ms) / Math.max(1, move.travel_ms)));
    return {
      x: x + SWAY * share * Math.sin(t / 170 + seed),
      y: y + SWAY * share * Math.cos(t / 210 + seed * 1.7),
      turn: lean + 4 * share * Math.sin(t / 260 + seed),
    };
  }
  const share = Math.sin(Math.PI * Math.min(1, (t - move.t_ms - move.travel_ms) / Math.max(1, move.dwell_ms)));
  return {
    x: x + TREMBLE * share * Math.sin(t / 47 + seed),
    y: y + TREMBLE * share * Math.cos(t / 39 + seed) - (move.kind === 'nudge' ? 22 * share : 0),
    turn: lean,
  };
}
