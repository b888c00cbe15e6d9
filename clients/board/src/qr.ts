/**
 * QR codes (ISO/IEC 18004) for links: bytes, error correction M, versions 1 to 12 (287 bytes). `qrCode(text)` gives the
 * rows of modules, true for dark, without the quiet zone of four modules that has to surround it.
 */

/** Of each version at level M: error correction bytes a block, then [blocks, data bytes a block] of one or two kinds. */
const BLOCKS: readonly (readonly [number, ...[number, number][]])[] = [
  [10, [1, 16]],
  [16, [1, 28]],
  [26, [1, 44]],
  [18, [2, 32]],
  [24, [2, 43]],
  [16, [4, 27]],
  [18, [4, 31]],
  [22, [2, 38], [2, 39]],
  [22, [3, 36], [2, 37]],
  [26, [4, 43], [1, 44]],
  [30, [1, 50], [4, 51]],
  [22, [6, 36], [2, 37]],
];

/** Centres of the alignment patterns of each version. */
const ALIGNMENT: readonly (readonly number[])[] = [
  [],
  [6, 18],
  [6, 22],
  [6, 26],
  [6, 30],
  [6, 34],
  [6, 22, 38],
  [6, 24, 42],
  [6, 26, 46],
  [6, 28, 50],
  [6, 30, 54],
  [6, 32, 58],
];

// The field GF(256) of x^8 + x^4 + x^3 + x^2 + 1.
const EXP = new Uint8Array(512);
const LOG = new Uint8Array(256);
for (let i = 0, x = 1; i < 255; i += 1) {
  EXP[i] = EXP[i + 255] = x;
  LOG[x] = i;
  x = (x << 1) ^ (x & 0x80 ? 0x11d : 0);
}

/** The modules of a text. Throws a `RangeError` where it is too long. */
export function qrCode(text: string): boolean[][] {
  const bytes = new TextEncoder().encode(text);
  const version = BLOCKS.findIndex((row, at) => capacity(row) >= bytes.length + (at < 9 ? 2 : 3)) + 1;
  if (version === 0) throw new RangeError('too long for a QR code');
  const codewords = interleave(dataOf(bytes, version), version);
  let best: boolean[][] | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (let mask = 0; mask < 8; mask += 1) {
    const made = draw(codewords, version, mask);
    const found = penalty(made);
    if (found < least) [best, least] = [made, found];
  }
  return best!;
}

function capacity([, ...kinds]: (typeof BLOCKS)[number]): number {
  return (kinds as [number, number][]).reduce((sum, [blocks, size]) => sum + blocks * size, 0);
}

/** Mode, length, the bytes, and what fills the rest. */
function dataOf(bytes: Uint8Array, version: number): Uint8Array {
  const bits: number[] = [];
  const put = (value: number, count: number): void => {
    for (let i = count - 1; i >= 0; i -= 1) bits.push((value >> i) & 1);
  };
  put(0b0100, 4);
  put(bytes.length, version < 10 ? 8 : 16);
  for (const byte of bytes) put(byte, 8);
  const size = capacity(BLOCKS[version - 1]!);
  put(0, Math.min(4, size * 8 - bits.length));
  while (bits.length % 8) bits.push(0);
  const data = new Uint8Array(size);
  bits.forEach((bit, i) => (data[i >> 3]! |= bit << (7 - (i & 7))));
  for (let i = bits.length / 8, pad = 0xec; i < size; i += 1, pad ^= 0xec ^ 0x11) data[i] = pad;
  return data;
}

/** Cut into blocks, give each its error correction, and deal them out in turn. */
function interleave(data: Uint8Array, version: number): number[] {
  const [ecLength, ...kinds] = BLOCKS[version - 1]!;
  const blocks: { data: Uint8Array; ec: Uint8Array }[] = [];
  let at = 0;
  for (const [count, size] of kinds as [number, number][]) {
    for (let i = 0; i < count; i += 1, at += size) {
      const part = data.subarray(at, at + size);
      blocks.push({ data: part, ec: remainder(part, ecLength) });
    }
  }
  const dealt: number[] = [];
  for (const kind of ['data', 'ec'] as const) {
    const longest = Math.max(...blocks.map((block) => block[kind].length));
    for (let i = 0; i < longest; i += 1) for (const block of blocks) if (i < block[kind].length) dealt.push(block[kind][i]!);
  }
  return dealt;
}

/** Reed–Solomon: the remainder of the data over the generator polynomial of that degree. */
function remainder(data: Uint8Array, degree: number): Uint8Array {
  let generator = new Uint8Array([1]);
  for (let i = 0; i < degree; i += 1) {
    const next = new Uint8Array(generator.length + 1);
    generator.forEach((factor, j) => {
      next[j]! ^= factor;
      next[j + 1]! ^= times(factor, EXP[i]!);
    });
    generator = next;
  }
  const result = new Uint8Array(degree);
  for (const byte of data) {
    const factor = byte ^ result[0]!;
    result.copyWithin(0, 1);
    result[degree - 1] = 0;
    for (let i = 0; i < degree; i += 1) result[i]! ^= times(generator[i + 1]!, factor);
  }
  return result;
}

function times(a: number, b: number): number {
  return a && b ? EXP[LOG[a]! + LOG[b]!]! : 0;
}

const MASKS: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => ((x / 3) | 0) % 2 === ((y / 2) | 0) % 2,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

function draw(codewords: readonly number[], version: number, mask: number): boolean[][] {
  const size = version * 4 + 17;
  const rows = Array.from({ length: size }, () => new Array<boolean>(size).fill(false));
  const fixed = Array.from({ length: size }, () => new Array<boolean>(size).fill(false));
  const set = (x: number, y: number, dark: boolean): void => {
    if (x < 0 || y < 0 || x >= size || y >= size) return;
    rows[y]![x] = dark;
    fixed[y]![x] = true;
  };
  for (let i = 0; i < size; i += 1) {
    set(6, i, i % 2 === 0);
    set(i, 6, i % 2 === 0);
  }
  for (const [cx, cy] of [[3, 3], [size - 4, 3], [3, size - 4]] as const) {
    for (let dy = -4; dy <= 4; dy += 1) {
      for (let dx = -4; dx <= 4; dx += 1) {
        const ring = Math.max(Math.abs(dx), Math.abs(dy));
        set(cx + dx, cy + dy, ring !== 2 && ring !== 4);
      }
    }
  }
  const centres = ALIGNMENT[version - 1]!;
  const last = centres.at(-1);
  for (const cx of centres) {
    for (const cy of centres) {
      if ((cx === 6 && (cy === 6 || cy === last)) || (cx === last && cy === 6)) continue;
      for (let dy = -2; dy <= 2; dy += 1) {
        for (let dx = -2; dx <= 2; dx += 1) set(cx + dx, cy + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1);
      }
    }
  }
  const format = withRemainder(mask, 10, 0x537) ^ 0x5412; // level M is 00, then the mask
  for (let i = 0; i < 15; i += 1) {
    const dark = ((format >> i) & 1) === 1;
    if (i < 8) set(8, i < 6 ? i : i + 1, dark);
    else set(i === 8 ? 7 : 14 - i, 8, dark);
    if (i < 8) set(size - 1 - i, 8, dark);
    else set(8, size - 15 + i, dark);
  }
  set(8, size - 8, true);
  if (version >= 7) {
    const code = withRemainder(version, 12, 0x1f25);
    for (let i = 0; i < 18; i += 1) {
      const [a, b] = [size - 11 + (i % 3), (i / 3) | 0];
      set(a, b, ((code >> i) & 1) === 1);
      set(b, a, ((code >> i) & 1) === 1);
    }
  }
  let i = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    const isUp = ((right + 1) & 2) === 0;
    for (let step = 0; step < size; step += 1) {
      const y = isUp ? size - 1 - step : step;
      for (const x of [right, right - 1]) {
        if (fixed[y]![x]) continue;
        const bit = i < codewords.length * 8 && ((codewords[i >> 3]! >> (7 - (i & 7))) & 1) === 1;
        rows[y]![x] = bit !== MASKS[mask]!(x, y);
        i += 1;
      }
    }
  }
  return rows;
}

/** A number with `length` bits of its own checksum behind it. */
function withRemainder(value: number, length: number, polynomial: number): number {
  let rest = value;
  for (let i = 0; i < length; i += 1) rest = (rest << 1) ^ ((rest >> (length - 1)) * polynomial);
  return (value << length) | rest;
}

/** How hard a picture is to read, by the four rules of the standard. */
function penalty(rows: readonly boolean[][]): number {
  const size = rows.length;
  let sum = 0;
  let dark = 0;
  const lines = [...rows, ...rows.map((_, x) => rows.map((row) => row[x]!))];
  for (const line of lines) {
    let run = 0;
    line.forEach((module, i) => {
      run = i > 0 && module === line[i - 1] ? run + 1 : 1;
      if (run === 5) sum += 3;
      else if (run > 5) sum += 1;
    });
    const text = line.map((module) => (module ? '1' : '0')).join('');
    for (const finder of ['10111010000', '00001011101']) {
      for (let at = text.indexOf(finder); at >= 0; at = text.indexOf(finder, at + 1)) sum += 40;
    }
  }
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      const module = rows[y]![x]!;
      if (module) dark += 1;
      if (x + 1 < size && y + 1 < size) {
        if (module === rows[y]![x + 1] && module === rows[y + 1]![x] && module === rows[y + 1]![x + 1]) sum += 3;
      }
    }
  }
  return sum + 10 * Math.floor(Math.abs((dark * 20) / (size * size) - 10));
}
