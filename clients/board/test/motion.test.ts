/** The hand that moves the planchette. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { positionAt, type Move } from '@seance/client';
import { poseOf } from '../src/motion.js';

const base = { glyph: 'A', kind: 'glyph', src: [0, 1] } as const;
const moves = [
  { ...base, i: 0, x: 160, y: 450, t_ms: 0, travel_ms: 500, dwell_ms: 300 },
  { ...base, i: 1, x: 1440, y: 450, t_ms: 800, travel_ms: 700, dwell_ms: 300 },
  { ...base, i: 2, kind: 'rest', glyph: null, x: 800, y: 640, t_ms: 1800, travel_ms: 400, dwell_ms: 0 },
] as unknown as Move[];

test('it stays near its script, reaches every letter, and never jumps', () => {
  let before = poseOf(positionAt({ moves }, 0));
  for (let t = 0; t <= 2300; t += 4) {
    const exact = positionAt({ moves }, t);
    const pose = poseOf(exact);
    assert.ok(Math.hypot(pose.x - exact.x, pose.y - exact.y) < 14, `${t} ms: away from the script`);
    assert.ok(Math.hypot(pose.x - before.x, pose.y - before.y) < 26, `${t} ms: it jumped`);
    assert.ok(Math.abs(pose.turn - before.turn) < 2, `${t} ms: it turned`);
    before = pose;
  }
  for (const t of [500, 800, 1500, 1800]) {
    const [exact, pose] = [positionAt({ moves }, t), poseOf(positionAt({ moves }, t))];
    assert.ok(Math.hypot(pose.x - exact.x, pose.y - exact.y) < 0.5, `${t} ms: not on its letter`);
  }
});

test('the same moment is the same pose on every screen', () => {
  assert.deepEqual(poseOf(positionAt({ moves }, 1234)), poseOf(positionAt({ moves }, 1234)));
});

test('who wants stillness gets the script alone', () => {
  const { x, y } = positionAt({ moves }, 1100);
  assert.deepEqual(poseOf(positionAt({ moves }, 1100), true), { x, y, turn: 0 });
});
