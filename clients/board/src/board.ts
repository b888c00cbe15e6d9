/** The board: a plank of wood as one picture, the letters in ink above it as another, so that a glow redraws no wood. */

import type { Layout } from '@seance/client';
import { s } from './dom.js';

/** Letters that were touched glow on for this long. The style sheet has the same number. */
const INK = '#1c0e05';

/** A drawn board. */
export interface Board {
  wood: SVGSVGElement;
  ink: SVGSVGElement;
  /** Let one letter or word glow, and those before fade; null for none. */
  light(glyph: string | null): void;
}

/** Draw a layout. */
export function drawBoard(layout: Layout): Board {
  const viewBox = `0 0 ${layout.width} ${layout.height}`;
  const marks = new Map<string, SVGGElement>();
  const ink = s('svg', { viewBox, class: 'ink', role: 'img', 'aria-label': 'Spirit board: the letters, the numbers, and the words of the board' });
  ink.append(glowOf());
  for (const [glyph, { x, y }] of Object.entries(layout.glyphs)) marks.set(glyph, mark(glyph, x, y, /\d/.test(glyph) ? 'digit' : 'letter'));
  for (const [word, { x, y, rule }] of Object.entries(layout.words)) {
    marks.set(word, mark(word, x, y, 'word'));
    if (rule === 'opening') ink.append(x < layout.width / 2 ? sun(x + 178, y) : moon(x - 158, y));
  }
  ink.append(...marks.values(), crest(layout.width / 2, 138));
  let lit: SVGGElement | undefined;
  return {
    wood: drawWood(layout, viewBox),
    ink,
    light(glyph) {
      const next = glyph === null ? undefined : marks.get(glyph);
      if (next === lit) return;
      lit?.classList.remove('lit');
      next?.classList.add('lit');
      lit = next;
    },
  };
}

function mark(text: string, x: number, y: number, kind: string): SVGGElement {
  const glow = s('ellipse', { class: 'glow', rx: kind === 'word' ? 60 + text.length * 26 : 92, ry: 92, fill: 'url(#glow)' });
  const edge = s('text', { class: 'edge', x: 1.5, y: 2.5 }, text); // the far side of the cut catches the light
  return s('g', { class: `mark ${kind}`, transform: `translate(${x} ${y})` }, glow, edge, s('text', {}, text));
}

function glowOf(): SVGDefsElement {
  const stop = (offset: number, color: string, opacity: number) => s('stop', { offset, 'stop-color': color, 'stop-opacity': opacity });
  return s(
    'defs',
    {},
    s('radialGradient', { id: 'glow' }, stop(0, '#ffd58a', 0.95), stop(0.35, '#ff9a3c', 0.55), stop(1, '#ff7a1a', 0)),
  );
}

/** The plank: grain from noise that is stretched along it, darkened to its edges, a double line burnt around it. */
function drawWood({ width, height }: Layout, viewBox: string): SVGSVGElement {
  const stop = (offset: number, color: string, opacity = 1) => s('stop', { offset, 'stop-color': color, 'stop-opacity': opacity });
  const grain = s(
    'filter',
    { id: 'grain', x: 0, y: 0, width: '100%', height: '100%', 'color-interpolation-filters': 'sRGB' },
    s('feTurbulence', { type: 'fractalNoise', baseFrequency: '0.0016 0.034', numOctaves: 5, seed: 23, result: 'noise' }),
    s('feColorMatrix', { in: 'noise', values: '0 0 0 0 0.10  0 0 0 0 0.045  0 0 0 0 0.015  1.5 0.5 0 0 -0.82', result: 'dark' }),
    s('feTurbulence', { type: 'fractalNoise', baseFrequency: '0.012 0.75', numOctaves: 3, seed: 4, result: 'fine' }),
    s('feColorMatrix', { in: 'fine', values: '0 0 0 0 0.07  0 0 0 0 0.03  0 0 0 0 0.01  0 1.25 0 0 -0.55', result: 'pores' }),
    s('feMerge', {}, s('feMergeNode', { in: 'SourceGraphic' }), s('feMergeNode', { in: 'dark' }), s('feMergeNode', { in: 'pores' })),
  );
  const defs = s(
    'defs',
    {},
    grain,
    s('linearGradient', { id: 'plank', x1: 0, y1: 0, x2: 0, y2: 1 }, stop(0, '#a8713a'), stop(0.45, '#945d2b'), stop(1, '#6d3f1a')),
    s('radialGradient', { id: 'light', cx: 0.5, cy: 0.42, r: 0.72 }, stop(0, '#ffdf9e', 0.34), stop(0.5, '#e89a4a', 0.06), stop(1, '#120702', 0.78)),
    s('clipPath', { id: 'shape' }, s('rect', { width, height, rx: 54 })),
  );
  const line = (inset: number, weight: number, opacity: number, rx: number) =>
    s('rect', { x: inset, y: inset, width: width - 2 * inset, height: height - 2 * inset, rx, fill: 'none', stroke: INK, 'stroke-width': weight, opacity });
  return s(
    'svg',
    { viewBox, class: 'wood', 'aria-hidden': 'true', focusable: 'false' },
    defs,
    s(
      'g',
      { 'clip-path': 'url(#shape)' },
      s('rect', { width, height, fill: 'url(#plank)', filter: 'url(#grain)' }),
      s('rect', { width, height, fill: 'url(#light)' }),
      s('rect', { x: 2, y: 2, width: width - 4, height: height - 4, rx: 52, fill: 'none', stroke: '#e9b878', 'stroke-width': 4, opacity: 0.28 }),
      line(5, 10, 0.5, 50),
    ),
    line(34, 5, 0.82, 34),
    line(46, 2, 0.7, 24),
    ...corners(width, height),
  );
}

function corners(width: number, height: number): SVGElement[] {
  const curl = 'M0 62 C4 28 28 4 62 0 M12 70 C16 40 40 16 70 12 M26 26 m-7 0 a7 7 0 1 0 14 0 a7 7 0 1 0 -14 0 M0 96 C10 92 14 84 12 70 M96 0 C92 10 84 14 70 12';
  const at = [
    [62, height - 62, 'scale(1 -1)'],
    [width - 62, height - 62, 'scale(-1 -1)'],
  ] as const;
  return at.map(([x, y, flip]) =>
    s('path', { d: curl, transform: `translate(${x} ${y}) ${flip}`, fill: 'none', stroke: INK, 'stroke-width': 3.5, 'stroke-linecap': 'round', opacity: 0.8 }),
  );
}

function sun(x: number, y: number): SVGGElement {
  const rays = Array.from({ length: 16 }, (_, i) => {
    const length = i % 2 ? 58 : 70;
    return s('path', { d: `M0 -${40} L4 -${length - 14} L0 -${length} L-4 -${length - 14} Z`, transform: `rotate(${i * 22.5})` });
  });
  const face = 'M-14 -6 q4 -5 9 0 M5 -6 q4 -5 9 0 M-10 11 q10 9 20 0 M0 -4 l-3 9 h5';
  return s(
    'g',
    { class: 'emblem', transform: `translate(${x} ${y}) scale(.74)` },
    ...rays,
    s('circle', { r: 34, fill: 'none', 'stroke-width': 4 }),
    s('path', { d: face, fill: 'none', 'stroke-width': 2.6 }),
  );
}

function moon(x: number, y: number): SVGGElement {
  return s(
    'g',
    { class: 'emblem', transform: `translate(${x} ${y}) scale(.78)` },
    s('path', { d: 'M14 -48 A50 50 0 1 0 14 48 A40 40 0 1 1 14 -48 Z' }),
    s('path', { d: star(5, 13, 5), transform: 'translate(24 -14)' }),
    s('path', { d: star(5, 8, 3), transform: 'translate(34 18)' }),
  );
}

/** What stands at the head: an eye in its rays, between two long strokes. */
function crest(x: number, y: number): SVGGElement {
  const rays = Array.from({ length: 13 }, (_, i) => {
    const angle = -90 + (i - 6) * 13;
    return s('path', { d: `M0 -${i % 2 ? 62 : 60} V-${i % 2 ? 76 : 88}`, transform: `rotate(${angle + 90})`, 'stroke-width': 2.4 });
  });
  const stroke = 'M96 0 C140 -14 190 -14 230 0 C200 4 150 5 96 0 M248 0 m-5 0 a5 5 0 1 0 10 0 a5 5 0 1 0 -10 0 M266 0 h44';
  return s(
    'g',
    { class: 'emblem', transform: `translate(${x} ${y})` },
    ...rays,
    s('path', { d: 'M-74 0 C-44 -44 44 -44 74 0 C44 44 -44 44 -74 0 Z', fill: 'none', 'stroke-width': 4.5 }),
    s('circle', { r: 24, fill: 'none', 'stroke-width': 3.5 }),
    s('circle', { r: 10 }),
    s('path', { d: stroke, 'stroke-width': 2.4 }),
    s('path', { d: stroke, 'stroke-width': 2.4, transform: 'scale(-1 1)' }),
  );
}

function star(points: number, outer: number, inner: number): string {
  const corner = (i: number): string => {
    const radius = i % 2 ? inner : outer;
    const angle = (Math.PI * i) / points - Math.PI / 2;
    return `${(radius * Math.cos(angle)).toFixed(1)} ${(radius * Math.sin(angle)).toFixed(1)}`;
  };
  return `M${Array.from({ length: points * 2 }, (_, i) => corner(i)).join('L')}Z`;
}
