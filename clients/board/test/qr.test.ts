/** QR codes, read by somebody else's reader. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import jsqr from 'jsqr';
import { qrCode } from '../src/qr.js';

/** What a camera would see: dark and light pixels, with the quiet zone around them. */
function read(text: string): string | undefined {
  const rows = qrCode(text);
  const scale = 4;
  const size = (rows.length + 8) * scale;
  const pixels = new Uint8ClampedArray(size * size * 4).fill(255);
  rows.forEach((row, y) =>
    row.forEach((dark, x) => {
      if (!dark) return;
      for (let dy = 0; dy < scale; dy += 1) {
        for (let dx = 0; dx < scale; dx += 1) {
          pixels.fill(0, (((y + 4) * scale + dy) * size + (x + 4) * scale + dx) * 4, (((y + 4) * scale + dy) * size + (x + 4) * scale + dx) * 4 + 3);
        }
      }
    }),
  );
  const reader = (jsqr as unknown as { default?: typeof jsqr }).default ?? jsqr;
  return reader(pixels, size, size)?.data;
}

test('a link comes out of its code as it went in', () => {
  const links = [
    'http://127.0.0.1:8000/board/01a21240-034b-7074-b61a-6c6c7b9e568b',
    'https://table.example/board/01a21240-034b-7074-b61a-6c6c7b9e568b#invite=r52LDpaQq3lLDGP3NDtfq72Vr9jWnjiNvuTa8Xbni2A',
    'https://séance.example/ünï',
  ];
  for (const link of links) assert.equal(read(link), link);
});

test('every version can be read', () => {
  for (const length of [1, 14, 15, 26, 42, 62, 84, 106, 122, 152, 180, 181, 213, 214, 251, 287]) {
    const text = 'https://a.example/'.padEnd(length, 'abcdefghij0123456789').slice(0, length);
    assert.equal(read(text), text, `${length} characters`);
  }
});

test('what does not fit is refused', () => {
  assert.throws(() => qrCode('x'.repeat(288)), RangeError);
});
