// Builds the page into realtime/static/realtime/board/, from where Django serves it; with --check only says what is
// out of date. The result is committed: who runs the server needs no Node.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const HERE = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const OUT = resolve(HERE, '../../realtime/static/realtime/board');
const HEAD = '/* Built from clients/board by `npm run build`. Do not edit. */';
const FONTS = {
  'eb-garamond.woff2': '@fontsource-variable/eb-garamond/files/eb-garamond-latin-wght-normal.woff2',
  'eb-garamond-italic.woff2': '@fontsource-variable/eb-garamond/files/eb-garamond-latin-wght-italic.woff2',
  'eb-garamond-LICENSE.txt': '@fontsource-variable/eb-garamond/LICENSE',
  'im-fell-english-sc.woff2': '@fontsource/im-fell-english-sc/files/im-fell-english-sc-latin-400-normal.woff2',
  'im-fell-english-sc-LICENSE.txt': '@fontsource/im-fell-english-sc/LICENSE',
};

const built = await build({
  absWorkingDir: HERE,
  entryPoints: { board: 'src/main.ts', 'board-style': 'src/style/board.css' },
  outdir: OUT,
  write: false,
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['es2022', 'chrome111', 'firefox114', 'safari16.4'],
  external: ['*.woff2'],
  banner: { js: HEAD, css: HEAD },
  logLevel: 'warning',
});
const files = new Map(built.outputFiles.map((file) => [file.path.replace('board-style.css', 'board.css'), Buffer.from(file.contents)]));
for (const [name, from] of Object.entries(FONTS)) {
  files.set(join(OUT, 'fonts', name), readFileSync(join(HERE, 'node_modules', from)));
}
let stale = 0;
mkdirSync(join(OUT, 'fonts'), { recursive: true });
for (const [path, contents] of files) {
  if (!process.argv.includes('--check')) writeFileSync(path, contents);
  else if (!existsSync(path) || !readFileSync(path).equals(contents)) {
    stale += 1;
    console.error(`${path.slice(OUT.length + 1)} is out of date: run \`npm run build\` in clients/board`);
  }
}
for (const [path, contents] of files) if (/\.(js|css)$/.test(path)) console.log(`${path.slice(OUT.length + 1)}: ${contents.length} bytes`);
process.exitCode = stale ? 1 : 0;
