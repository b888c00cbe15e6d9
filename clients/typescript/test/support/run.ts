/** Makes one migrated database, and runs the tests, each of which starts servers on copies of it. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PYTHON, ROOT, serverEnv } from './server.js';

const tests = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const folder = mkdtempSync(join(tmpdir(), 'seance-sdk-'));
try {
  const migrated = spawnSync(PYTHON, ['manage.py', 'migrate', '--noinput', '--verbosity', '0'], {
    cwd: ROOT,
    env: serverEnv(folder),
    stdio: 'inherit',
  });
  if (migrated.status !== 0) throw new Error(`the tests need the server's environment: ${PYTHON} could not migrate`);
  const files = readdirSync(tests).filter((name) => name.endsWith('.test.js'));
  const chosen = process.argv.slice(2);
  const run = files.filter((name) => chosen.length === 0 || chosen.some((part) => name.includes(part)));
  const ran = spawnSync(
    process.execPath,
    ['--experimental-websocket', '--no-warnings', '--test', '--test-timeout=60000', ...run.map((name) => join(tests, name))],
    { stdio: 'inherit', env: { ...process.env, SEANCE_TEMPLATE: folder } },
  );
  process.exitCode = ran.status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
