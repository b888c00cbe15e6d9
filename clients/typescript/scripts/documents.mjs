// The project's two documents, from a running server (SEANCE_URL) or made by the checkout's own commands.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');

/** `{ openapi, asyncapi }`, parsed. Throws where neither a server nor a checkout with its environment is there. */
export async function documents() {
  const server = process.env.SEANCE_URL;
  if (server) {
    const [openapi, asyncapi] = await Promise.all(['openapi.json', 'asyncapi.json'].map((name) => fetched(server, name)));
    return { openapi, asyncapi };
  }
  return exported();
}

async function fetched(server, name) {
  const response = await fetch(new URL(name, server.endsWith('/') ? server : `${server}/`));
  if (!response.ok) throw new Error(`${response.url}: ${response.status}`);
  return response.json();
}

function exported() {
  const inVenv = join(ROOT, '.venv/bin/python');
  const python = process.env.SEANCE_PYTHON ?? (existsSync(inVenv) ? inVenv : 'python3');
  const folder = mkdtempSync(join(tmpdir(), 'seance-documents-'));
  try {
    const file = join(folder, 'openapi.json');
    const run = (...args) =>
      execFileSync(python, args, {
        cwd: ROOT,
        encoding: 'utf8',
        maxBuffer: 2 ** 26,
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, VAR_DIR: folder, LOG_LEVEL: 'ERROR', DJANGO_SETTINGS_MODULE: 'seance_project.settings' },
      });
    run('manage.py', 'spectacular', '--custom-settings', 'sessions_app.api.openapi.DOCUMENT', '--format', 'openapi-json', '--file', file);
    const made = 'import django; django.setup(); from realtime.asyncapi import as_json; print(as_json().decode())';
    return { openapi: JSON.parse(readFileSync(file, 'utf8')), asyncapi: JSON.parse(run('-c', made)) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
