/** A candle. Its flame moves, unless somebody wants stillness. */

import { s } from './dom.js';

let count = 0;

/** One candle, for the eye alone. */
export function candle(): SVGSVGElement {
  const id = `c${(count += 1)}`;
  const stop = (offset: number, color: string, opacity = 1) => s('stop', { offset, 'stop-color': color, 'stop-opacity': opacity });
  return s(
    'svg',
    { class: `candle candle-${count % 2}`, viewBox: '0 0 100 260', 'aria-hidden': 'true', focusable: 'false' },
    s(
      'defs',
      {},
      s('radialGradient', { id: `${id}-halo` }, stop(0, '#ffcf7a', 0.55), stop(0.35, '#f2a950', 0.16), stop(1, '#f2a950', 0)),
      s('linearGradient', { id: `${id}-wax`, x1: 0, x2: 1, y1: 0, y2: 0 }, stop(0, '#8a6a44'), stop(0.4, '#efdcb4'), stop(1, '#6e5030')),
      s('linearGradient', { id: `${id}-deep`, x1: 0, x2: 0, y1: 0, y2: 1 }, stop(0, '#ffb95a', 0.55), stop(0.25, '#5a2d10', 0.1), stop(0.96, '#0c0705')),
      s('radialGradient', { id: `${id}-fire`, cx: 0.5, cy: 0.72, r: 0.7 }, stop(0, '#fffbe6'), stop(0.45, '#ffd58a'), stop(0.8, '#f08a24'), stop(1, '#c94f0c', 0.6)),
    ),
    s('circle', { cx: 50, cy: 66, r: 50, fill: `url(#${id}-halo)`, class: 'halo' }),
    s('path', { d: 'M30 112 C30 106 70 106 70 112 L71 260 H29 Z', fill: `url(#${id}-wax)` }),
    s('path', { d: 'M30 112 C30 106 70 106 70 112 L71 260 H29 Z', fill: `url(#${id}-deep)` }),
    s('path', { d: 'M31 113 C33 132 37 128 37 146 C37 156 43 156 43 147 C43 130 45 124 47 114 Z', fill: '#f3e2bd', opacity: 0.8 }),
    s('ellipse', { cx: 50, cy: 112, rx: 20, ry: 4.6, fill: '#ffe9b8' }),
    s('path', { d: 'M50 112 C49 104 51 100 50 94', stroke: '#2a1405', 'stroke-width': 2.6, fill: 'none' }),
    s('path', { d: 'M50 40 C54 58 64 68 62 84 C61 95 55 101 50 101 C45 101 39 95 38 84 C36 68 46 58 50 40 Z', fill: `url(#${id}-fire)`, class: 'flame' }),
  );
}
