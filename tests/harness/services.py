"""Tests of the whole: PostgreSQL and Redis servers of our own, and databases that are gone after the test."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from tests.harness.processes import Child, clean_environment, free_port, manage, wait_until

SHARED_POSTGRES = os.environ.get("TEST_DATABASE_URL") or "postgresql://postgres@127.0.0.1:5432/postgres"
POSTGRES_USER = "postgres"  # the system user: PostgreSQL refuses to run as root


@cache
def postgres_binaries() -> Path:
    """The newest installed PostgreSQL's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    assert on_path, "no PostgreSQL server programs are installed (Debian: postgresql)"
    return Path(on_path).parent


def answers(port: int) -> bool:
    """Whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Redis(Child):
    """A Redis server of our own, on a free port, that writes nothing to disk."""

    def __init__(self, work: Path) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        super().__init__(command, env=clean_environment(), log=work / "redis.log", cwd=work)
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.spawn()
        wait_until(lambda: answers(self.port), timeout=10, what=f"Redis does not listen: {self.said()[-500:]}")


class Postgres(Child):
    """A PostgreSQL server of our own, on a free port, in a directory of its own."""

    def __init__(self, work: Path, *, like: Postgres | None = None, settings: dict[str, str] | None = None) -> None:
        """With `like` the new one starts with a copy of the data of that one, which must not run."""
        self.data = work / "postgres"
        self.port = free_port()
        work.mkdir(parents=True, exist_ok=True)
        _let_in(work)
        options = {"fsync": "on", "max_connections": "200", "unix_socket_directories": "", **(settings or {})}
        command = [str(postgres_binaries() / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "timezone=UTC"]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        log = work / "postgres.log"
        log.touch()
        super().__init__(command, env=clean_environment(), log=log, user=POSTGRES_USER, cwd=work)
        if like is not None:
            assert not like.alive
            subprocess.run(["cp", "-a", str(like.data), str(self.data)], check=True)
        else:
            self._initialise()

    def _initialise(self) -> None:
        self.data.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.data, POSTGRES_USER, POSTGRES_USER)
        command = [str(postgres_binaries() / "initdb"), "-D", str(self.data), "-U", "postgres", "-A", "trust", "-N"]
        command += ["-E", "UTF8", "--locale=C"]
        user = self._user
        subprocess.run(
            command, check=True, capture_output=True, user=user, group=user, extra_groups=[] if user else None, cwd="/"
        )

    def url(self, database: str = "postgres") -> str:
        """Where it is."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it and wait until it takes queries."""
        self.spawn()
        wait_until(self._ready, timeout=30, what=f"PostgreSQL does not answer: {self.said()[-500:]}")

    def _ready(self) -> bool:
        assert self.alive, self.said()[-2000:]
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """The way of `pg_ctl stop -m fast`."""
        self.send_signal(signal.SIGINT)
        self.wait()

    def stop_immediately(self) -> None:
        """The way of `pg_ctl stop -m immediate`: as a power cut, with recovery at the next start."""
        self.send_signal(signal.SIGQUIT)
        self.wait()


def _let_in(path: Path) -> None:
    """PostgreSQL's user must get through to its directory; pytest's temporary ones are closed to others."""
    if os.geteuid() == 0:
        for folder in (path, *path.parents):
            if str(folder) not in ("/", "/tmp"):  # noqa: S108
                folder.chmod(folder.stat().st_mode | 0o011)


class Databases:
    """Migrated databases, quickly: each is a copy of one that was migrated once. `close` drops them all."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self._template = ""
        self._made: list[str] = []
        self._sqlite: Path | None = None
        self._postgres: Postgres | None = None

    def on_shared_postgres(self) -> str:
        """The URL of a fresh database on the shared PostgreSQL (TEST_DATABASE_URL)."""
        if not self._template:
            self._template = self._create()
            migrate(with_database(SHARED_POSTGRES, self._template), self.work)
        return with_database(SHARED_POSTGRES, self._create(like=self._template))

    def own_postgres(self, work: Path, **settings: str) -> tuple[Postgres, str]:
        """A PostgreSQL server of the test's own, running, and the URL of a migrated database on it."""
        if self._postgres is None:
            first = Postgres(self.work / "template")
            first.start()
            migrate(first.url(), self.work)
            first.stop()
            self._postgres = first
        server = Postgres(work, like=self._postgres, settings=settings)
        server.start()
        return server, server.url()

    def sqlite(self, work: Path) -> str:
        """The URL of a fresh SQLite file."""
        if self._sqlite is None:
            self._sqlite = self.work / "template.sqlite3"
            migrate(f"sqlite:///{self._sqlite}", self.work)
        copy = work / "seance.sqlite3"
        shutil.copy(self._sqlite, copy)
        return f"sqlite:///{copy}"

    def drop(self, url: str) -> None:
        """Drop a database that `on_shared_postgres` made, whoever still uses it."""
        name = urlsplit(url).path.lstrip("/")
        if name in self._made:
            self._made.remove(name)
            with _administration() as connection:
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def close(self) -> None:
        """Drop them all."""
        for name in list(self._made):
            with suppress(psycopg.Error):
                self.drop(with_database(SHARED_POSTGRES, name))

    def _create(self, like: str = "template1") -> str:
        name = f"seance_test_{os.getpid()}_{secrets.token_hex(4)}"
        with _administration() as connection:
            made = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(like))
            connection.execute(made)
        self._made.append(name)
        return name


@contextmanager
def _administration() -> Iterator[psycopg.Connection]:
    with psycopg.connect(SHARED_POSTGRES, autocommit=True) as connection:
        yield connection


def with_database(url: str, name: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def migrate(url: str, work: Path) -> None:
    """`manage.py migrate`."""
    manage("migrate", "--noinput", "-v0", env=clean_environment(VAR_DIR=str(work), DATABASE_URL=url))
