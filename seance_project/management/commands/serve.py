"""seance_project: `manage.py serve`, the production server."""

from __future__ import annotations

import os
import socket
import sys
from argparse import ArgumentParser
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from seance_project import databases, lock, server, static
from seance_project.env import Env
from seance_project.refusals import uses_sqlite
from seance_project.workers import Supervisor, command_for, follow_supervisor, worker_index
from sessions_app import fitness

log = structlog.get_logger("seance.serve")


class Command(BaseCommand):
    """Refuses, in one line, what cannot work; then serves until SIGTERM or Ctrl+C, and ends with 0."""

    help = "Serve HTTP and WebSocket with uvicorn."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=settings.SEANCE.host, help="address to listen on (HOST)")
        parser.add_argument("--port", type=int, default=settings.SEANCE.port, help="port to listen on (PORT)")
        parser.add_argument("--workers", type=int, default=1, help="server processes; more than 1 needs REDIS_URL")

    def handle(self, *_: Any, host: str, port: int, workers: int, **__: Any) -> None:
        env: Env = settings.SEANCE
        refuse_options(env, port=port, count=workers)
        refuse_uncollected()
        refuse_unready_database()
        index = worker_index()
        try:
            if index is None:
                lock.hold_if_embedded(env)
                if workers > 1:
                    sys.exit(self._supervise(env, host, port, workers))
            else:
                follow_supervisor()
            listener = server.listen_on(host, port, env=env, share=index is not None)
        except (lock.AlreadyServed, server.CannotListen) as error:
            raise CommandError(str(error)) from None
        bound: int = listener.getsockname()[1]
        # Nobody else can have it, and the next life of this process has it again: it finds what this one left behind.
        os.environ.setdefault("SEANCE_PROCESS_NAME", f"{socket.gethostname()}:{bound}:{index or 0}")
        first = index in (None, 0)
        sys.exit(server.run(env, listener, announce=(lambda: self._announce(env, host, bound)) if first else None))

    def _supervise(self, env: Env, host: str, port: int, count: int) -> int:
        """Reserve the port, then let each worker bind it too. Bound but not listening, ours gets no connection."""
        server.listen_on(host, port, env=env).close()  # without sharing: taken by anybody is taken
        with server.listen_on(host, port, env=env, share=True) as reserved:
            bound: int = reserved.getsockname()[1]
            return Supervisor(command_for(host, bound), count, env.var / f"metrics-{bound}").run()

    def _announce(self, env: Env, host: str, port: int) -> None:
        base = base_url(host, port)
        if env.is_production:
            log.info("listening", url=base)
            return
        rows = {
            "table": f"{base}/board/",
            "docs": f"{base}/docs",
            "events": f"{base}/docs/events",
            "admin": f"{base}/admin/",
            "health": f"{base}/health",
            "socket": f"{base.replace('http', 'ws', 1)}/ws/{{session_id}}",
        }
        for name, url in rows.items():
            self.stdout.write(f"  {name:<8}{url}")
        self.stdout.write(f"Séance listens on {base}/ (Ctrl+C stops it)")
        self.stdout.flush()


def base_url(host: str, port: int) -> str:
    """A URL that a browser on this machine can open."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"


def refuse_options(env: Env, *, port: int, count: int) -> None:
    """What the environment alone could not tell."""
    if not 0 <= port <= 65535:
        raise CommandError(f"--port must be a whole number from 0 to 65535, not {port}.")
    if not 1 <= count <= 64:
        raise CommandError(f"--workers must be a whole number from 1 to 64, not {count}.")
    if count > 1 and not env.redis_url:
        raise CommandError("REDIS_URL: is required with more than one worker.")
    if count > 1 and uses_sqlite(env):
        raise CommandError("DATABASE_URL: must be PostgreSQL with more than one worker.")
    if not hasattr(socket, "SO_REUSEPORT") and count > 1:
        raise CommandError("--workers: this system cannot share a port between processes.")


def refuse_uncollected() -> None:
    """A server without its hashed files would answer 500 to every page."""
    if static.is_missing():
        raise CommandError("STATIC_ROOT: is not filled: run `python manage.py collectstatic` first.")


def refuse_unready_database() -> None:
    """A server without its tables would answer 500 to everything, and one without time limits would stand still.

    One whose database is away only waits for it.
    """
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        off = databases.limits_off(_show) if databases.is_pooled(connection.settings_dict) else []
    except DatabaseError as error:
        log.warning("database_away", reason=fitness.reason(error), error=type(error).__name__)
        return
    finally:
        connection.close()
    if missing:
        raise CommandError(f"The database lacks {len(missing)} migrations: run `python manage.py migrate` first.")
    if off:
        limits = ", ".join(f"{name} = '{databases.LIMITS[name]}'" for name in off)
        raise CommandError(
            f"Behind a pooler the time limits are the role's: ALTER ROLE … SET {limits}, each by itself."
        )


def _show(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        return str(cursor.fetchone()[0])
