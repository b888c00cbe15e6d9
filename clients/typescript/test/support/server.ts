/** A real server in a process of its own, on a free port, with a database of its own that survives a restart. */

import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../../../..');
const VENV = join(ROOT, '.venv/bin/python');
export const PYTHON = process.env['SEANCE_PYTHON'] ?? (existsSync(VENV) ? VENV : 'python3');

const START_MS = 30_000;

/** The environment of a server that knows nothing of the machine's own settings. */
export function serverEnv(varDir: string, more: Record<string, string> = {}): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    HOME: varDir,
    VAR_DIR: varDir,
    DATABASE_URL: `sqlite:///${join(varDir, 'db.sqlite3')}`,
    REDIS_URL: '',
    LOG_LEVEL: 'WARNING',
    ENVIRONMENT: 'development',
    SPIRIT_PROVIDERS: 'oracle',
    EMAIL_VERIFICATION: 'false',
    ...more,
  };
}

export class Server {
  #process: ChildProcess | undefined;
  #output = '';

  private constructor(
    readonly varDir: string,
    readonly port: number,
    private readonly env: Record<string, string>,
  ) {}

  /** Start one; `env` are settings of the server. */
  static async start(env: Record<string, string> = {}): Promise<Server> {
    const varDir = mkdtempSync(join(tmpdir(), 'seance-server-'));
    const template = process.env['SEANCE_TEMPLATE'];
    if (template) cpSync(template, varDir, { recursive: true });
    const server = new Server(varDir, await freePort(), env);
    await server.run();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Run it, again on the same port and database. */
  async run(): Promise<void> {
    const started = spawn(PYTHON, ['manage.py', 'serve', '--host', '127.0.0.1', '--port', String(this.port)], {
      cwd: ROOT,
      env: serverEnv(this.varDir, this.env),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#process = started;
    process.once('exit', () => this.#end('SIGKILL')); // a test that was given up leaves no server behind
    for (const stream of [started.stdout, started.stderr]) stream!.on('data', (chunk) => (this.#output += String(chunk)));
    const until = Date.now() + START_MS;
    while (Date.now() < until && started.exitCode === null) {
      const ready = await fetch(`${this.url}/health/ready`).then((answer) => answer.ok, () => false);
      if (ready) return;
      await sleep(100);
    }
    throw new Error(`the server did not start:\n${this.#output}`);
  }

  /** Send a signal to it and its children, and wait for its end. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const running = this.#process;
    if (!running?.pid || running.exitCode !== null || running.signalCode !== null) return;
    const ended = new Promise((resolve) => running.once('exit', resolve));
    this.#end(signal);
    await ended;
  }

  #end(signal: NodeJS.Signals): void {
    const running = this.#process;
    if (running?.pid && running.exitCode === null && running.signalCode === null) process.kill(-running.pid, signal);
  }

  /** End it for good. */
  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.varDir, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
