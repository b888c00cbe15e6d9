// Bundles test/*.test.ts and runs them with Node's test runner.
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const HERE = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const OUT = join(HERE, 'build');
rmSync(OUT, { recursive: true, force: true });
const entryPoints = readdirSync(join(HERE, 'test')).filter((name) => name.endsWith('.test.ts')).map((name) => join(HERE, 'test', name));
await build({ absWorkingDir: HERE, entryPoints, outdir: OUT, bundle: true, format: 'esm', platform: 'node', packages: 'external', outExtension: { '.js': '.mjs' }, logLevel: 'warning', tsconfig: 'tsconfig.json', alias: { '@seance/client': resolve(HERE, '../typescript/src/index.ts') } });
const files = readdirSync(OUT).filter((name) => name.endsWith('.mjs')).map((name) => join(OUT, name));
process.exitCode = spawnSync(process.execPath, ['--test', ...files], { stdio: 'inherit' }).status ?? 1;
