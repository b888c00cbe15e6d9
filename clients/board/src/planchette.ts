/** The planchette: a heart of dark wood on three brass feet, with a lens. An element of its own, moved by a transform. */

import { s } from './dom.js';
import type { Pose } from './motion.js';

const BODY = 'M0 -178 C14 -176 22 -160 34 -138 C58 -96 108 -58 112 10 C116 76 66 122 0 122 C-66 122 -116 76 -112 10 C-108 -58 -58 -96 -34 -138 C-22 -160 -14 -176 0 -178 Z';
const LENS = 52;
const HOLE = `M${LENS} 0 A${LENS} ${LENS} 0 1 0 -${LENS} 0 A${LENS} ${LENS} 0 1 0 ${LENS} 0 Z`;

/** What is drawn, and how it is moved. */
export interface Planchette {
  element: SVGSVGElement;
  /** `scale` is pixels for one unit of the layout. */
  move(pose: Pose, scale: number): void;
  /** The letter that the lens enlarges; null for none. */
  read(glyph: string | null): void;
}

/** Draw it. Its lens is at the origin; the style sheet knows the viewBox. */
export function drawPlanchette(): Planchette {
  const stop = (offset: number, color: string, opacity = 1) => s('stop', { offset, 'stop-color': color, 'stop-opacity': opacity });
  const defs = s(
    'defs',
    {},
    s('linearGradient', { id: 'p-wood', x1: 0, y1: 0, x2: 1, y2: 1 }, stop(0, '#6b3c1c'), stop(0.5, '#44230f'), stop(1, '#241006')),
    s('linearGradient', { id: 'p-brass', x1: 0, y1: 0, x2: 1, y2: 1 }, stop(0, '#ffe9b0'), stop(0.45, '#b98938'), stop(1, '#5b3b12')),
    s('radialGradient', { id: 'p-glass', cx: 0.36, cy: 0.3, r: 0.9 }, stop(0, '#fff6dd', 0.42), stop(0.45, '#ffdf9e', 0.06), stop(1, '#1a0a02', 0.42)),
    s('radialGradient', { id: 'p-fire' }, stop(0, '#fff0c4', 0.98), stop(0.6, '#ffbf5e', 0.85), stop(1, '#f08a24', 0.35)),
    s('radialGradient', { id: 'p-shade' }, stop(0, '#000', 0.62), stop(0.62, '#000', 0.38), stop(1, '#000', 0)),
  );
  const letter = s('text', { class: 'read' });
  const fire = s('g', { class: 'fire' }, s('circle', { r: LENS, fill: 'url(#p-fire)' }), letter);
  const pin = (cx: number, cy: number) => s('circle', { cx, cy, r: 7, fill: 'url(#p-brass)', stroke: '#2a1405', 'stroke-width': 2 });
  const element = s(
    'svg',
    { viewBox: '-150 -200 300 360', class: 'planchette', 'aria-hidden': 'true', focusable: 'false' },
    defs,
    s('ellipse', { cx: 10, cy: 8, rx: 138, ry: 150, fill: 'url(#p-shade)', class: 'shade' }),
    s('path', { d: BODY + HOLE, 'fill-rule': 'evenodd', fill: 'url(#p-wood)', stroke: '#1a0b04', 'stroke-width': 4 }),
    s('path', { d: BODY, fill: 'none', stroke: '#d29a5c', 'stroke-width': 2, opacity: 0.5, transform: 'scale(.955)' }),
    s('path', { d: BODY, fill: 'none', stroke: '#e0aa63', 'stroke-width': 2, opacity: 0.55, transform: 'scale(.86)' }),
    s('path', { class: 'etch', d: 'M0 -150 C5 -128 5 -108 0 -88 C-5 -108 -5 -128 0 -150 Z M-16 -92 C-8 -98 8 -98 16 -92 M-58 78 C-30 102 30 102 58 78 M-40 76 C-20 90 20 90 40 76 M0 84 l5 8 -5 8 -5 -8 Z' }),
    fire,
    s('circle', { r: LENS, fill: 'url(#p-glass)' }),
    s('circle', { r: LENS + 4, fill: 'none', stroke: 'url(#p-brass)', 'stroke-width': 11 }),
    s('circle', { r: LENS - 2, fill: 'none', stroke: '#2a1405', 'stroke-width': 2, opacity: 0.8 }),
    s('path', { d: 'M-34 -22 A40 40 0 0 1 -4 -40', fill: 'none', stroke: '#fffbe9', 'stroke-width': 5, 'stroke-linecap': 'round', opacity: 0.65 }),
    pin(0, -116),
    pin(-80, 34),
    pin(80, 34),
  );
  let shown: string | null = null;
  return {
    element,
    move({ x, y, turn }, scale) {
      element.style.transform = `translate3d(${(x * scale).toFixed(2)}px, ${(y * scale).toFixed(2)}px, 0) rotate(${turn.toFixed(2)}deg)`;
    },
    read(glyph) {
      if (glyph === shown) return;
      shown = glyph;
      if (glyph !== null) {
        letter.textContent = glyph;
        letter.classList.toggle('long', glyph.length > 1);
      }
      fire.classList.toggle('on', glyph !== null);
    },
  };
}
