"""Tests of the whole: PostgreSQL and Redis servers of our own, and databases that are gone after the test."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from tests.harness.hosts import NETWORK
from tests.harness.processes import ROOT, Child, clean_environment, free_port, manage, wait_until

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


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


class Redis(Child):
    """A Redis server of our own, on a free port, that writes nothing to disk."""

    def __init__(self, work: Path, *, host: str = "127.0.0.1") -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        command = ["redis-server", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        command += ["--bind", *{host, "127.0.0.1"}, "--protected-mode", "no"]
        super().__init__(command, env=clean_environment(), log=work / "redis.log", cwd=work)
        self.url = f"redis://{host}:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.spawn()
        wait_until(lambda: answers(self.port), timeout=10, what=f"Redis does not listen: {self.said()[-500:]}")


class Postgres(Child):
    """A PostgreSQL server of our own, on a free port, in a directory of its own."""

    def __init__(
        self,
        work: Path,
        *,
        like: Postgres | None = None,
        follows: Postgres | None = None,
        settings: dict[str, str] | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        """With `like` the new one starts with a copy of the data of that one, which must not run.

        With `follows` it is a streaming replica of that one, which must run.
        """
        self.data, self._host = work / "postgres", host
        self.port = free_port()
        work.mkdir(parents=True, exist_ok=True)
        let_in(work)
        options = {"fsync": "on", "max_connections": "200", "unix_socket_directories": "", **(settings or {})}
        command = [str(postgres_binaries() / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        command += ["-c", f"listen_addresses={host}", "-c", "timezone=UTC"]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        log = work / "postgres.log"
        log.touch()
        super().__init__(command, env=clean_environment(), log=log, user=POSTGRES_USER, cwd=work)
        if like is not None:
            assert not like.alive
            subprocess.run(["cp", "-a", str(like.data), str(self.data)], check=True)
            with (self.data / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {NETWORK} trust\nhost replication all {NETWORK} trust\n")
        elif follows is not None:
            self._make(
                "pg_basebackup", "-h", follows._host, "-p", str(follows.port), "-U", "postgres", "-R", "-c", "fast"
            )
        else:
            self._make("initdb", "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")

    def _make(self, program: str, *arguments: str) -> None:
        self.data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(self.data, POSTGRES_USER, POSTGRES_USER)
        command, user = [str(postgres_binaries() / program), "-D", str(self.data), *arguments], self._user
        subprocess.run(
            command, check=True, capture_output=True, user=user, group=user, extra_groups=[] if user else None, cwd="/"
        )

    def url(self, database: str = "postgres") -> str:
        """Where it is."""
        return f"postgresql://postgres@{self._host}:{self.port}/{database}"

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

    def freeze_all(self) -> None:
        """SIGSTOP to it and to its backends, each of which is a process group of its own."""
        for pid in self._family():
            os.kill(pid, signal.SIGSTOP)

    def thaw_all(self) -> None:
        """SIGCONT to them."""
        for pid in self._family():
            os.kill(pid, signal.SIGCONT)

    def _family(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]


class PgBouncer(Child):
    """The real PgBouncer in transaction mode, with the shipped settings, before a database; its pool is small."""

    def __init__(self, work: Path, url: str, *, pool: int) -> None:
        program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        assert program, "PgBouncer is not installed (Debian: pgbouncer)"
        work.mkdir(parents=True, exist_ok=True)
        let_in(work)
        self.port, parts = free_port(), urlsplit(url)
        name = parts.path.lstrip("/")
        self.url = f"postgresql://{parts.username}@127.0.0.1:{self.port}/{name}"
        place = f"host={parts.hostname} port={parts.port} dbname={name}"
        (work / "databases.ini").write_text(f"[databases]\n{name} = {place}\n")
        (work / "userlist.txt").write_text(f'"{parts.username}" ""\n')
        ours = {"auth_type": "trust", "listen_addr": "127.0.0.1", "listen_port": self.port, "default_pool_size": pool}
        ours |= {"unix_socket_dir": "", "auth_file": work / "userlist.txt"}
        shipped = (ROOT / "deploy" / "pgbouncer" / "pgbouncer.ini").read_text()
        changed = "".join(f"{key} = {value}\n" for key, value in ours.items())
        (work / "pgbouncer.ini").write_text(f"{shipped}\n{changed}")
        command = [program, str(work / "pgbouncer.ini")]
        super().__init__(command, env=clean_environment(), log=work / "pgbouncer.log", user=POSTGRES_USER, cwd=work)

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.spawn()
        wait_until(lambda: answers(self.port), timeout=10, what=f"PgBouncer does not listen: {self.said()[-500:]}")


def let_in(path: Path) -> None:
    """Let the users of other servers through to a directory of theirs; pytest's temporary ones are closed to others."""
    if os.geteuid() == 0:
        for folder in (path, *path.parents):
            if str(folder) not in ("/", "/tmp"):  # noqa: S108
                folder.chmod(folder.stat().st_mode | 0o011)


class Databases:
    """Migrated databases, quickly: each is a copy of one that was migrated once. `close` drops those made here.

    `shared` is a folder of the whole round, over however many processes it is spread: the first of them that needs a
    template makes it there. The round ends with `drop_template`.
    """

    def __init__(self, work: Path, shared: Path) -> None:
        self.work, self.shared = work, shared
        self._made: list[str] = []
        self._postgres: Postgres | None = None

    def on_shared_postgres(self) -> str:
        """The URL of a fresh database on the shared PostgreSQL (TEST_DATABASE_URL)."""
        return with_database(SHARED_POSTGRES, self._create(like=self.template()))

    def template(self) -> str:
        """The name of a migrated database on the shared PostgreSQL, to be copied and otherwise left alone."""

        def make(path: Path) -> None:
            name = _new_database()
            path.write_text(name)
            migrate(with_database(SHARED_POSTGRES, name), self.work)

        return self._once("template.name", make).read_text()

    def own_postgres(self, work: Path, *, host: str = "127.0.0.1", **settings: str) -> tuple[Postgres, str]:
        """A PostgreSQL server of the test's own, running, and the URL of a migrated database on it."""
        if self._postgres is None:
            first = Postgres(self.work / "template")
            first.start()
            migrate(first.url(), self.work)
            first.stop()
            self._postgres = first
        server = Postgres(work, like=self._postgres, settings=settings, host=host)
        server.start()
        return server, server.url()

    def sqlite(self, work: Path) -> str:
        """The URL of a fresh SQLite file."""
        copy = work / "seance.sqlite3"
        shutil.copy(self.sqlite_template(), copy)
        return f"sqlite:///{copy}"

    def sqlite_template(self) -> Path:
        """A migrated SQLite file, to be copied and otherwise left alone."""
        return self._once("template.sqlite3", lambda path: migrate(f"sqlite:///{path}", self.work))

    def drop(self, url: str) -> None:
        """Drop a database that `on_shared_postgres` made, whoever still uses it."""
        name = urlsplit(url).path.lstrip("/")
        if name in self._made:
            self._made.remove(name)
            _drop(name)

    def close(self) -> None:
        """Drop them all."""
        for name in list(self._made):
            with suppress(psycopg.Error):
                self.drop(with_database(SHARED_POSTGRES, name))

    def _create(self, like: str) -> str:
        name = _new_database(like)
        self._made.append(name)
        return name

    def _once(self, name: str, make: Callable[[Path], None]) -> Path:
        path, done = self.shared / name, self.shared / f"{name}.done"
        with (self.shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                make(path)
                done.touch()
        return path


def drop_template(shared: Path) -> None:
    """Drop what `Databases.template` made for a round."""
    path = shared / "template.name"
    if path.exists():
        _drop(path.read_text())


def _new_database(like: str = "template1") -> str:
    name = f"seance_test_{os.getpid()}_{secrets.token_hex(4)}"
    with _administration() as connection:
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(like))
        connection.execute(made)
    return name


def _drop(name: str) -> None:
    with _administration() as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


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
