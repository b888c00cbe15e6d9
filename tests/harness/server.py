"""Tests of the whole: real `manage.py serve` processes on one database and, beyond one process, one Redis."""

from __future__ import annotations

import itertools
import sqlite3
import ssl
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import psycopg

from tests.harness.hosts import EACH, SERVICES, Host, free_number, open_services
from tests.harness.processes import Child, clean_environment, free_port, wait_until
from tests.harness.services import Databases, Postgres, Redis, answers

# A harness is no crowd of strangers: nothing is counted per time, and a room may be large.
DEFAULTS = {
    "ENVIRONMENT": "development",
    "RATE_LIMITS_ENABLED": "false",
    "MAX_USERS_LIMIT": "1000",
    "LOG_LEVEL": "INFO",
    "SECRET_KEY": "harness-" + "0123456789abcdef" * 4,
    "JWT_SECRET": "harness-jwt-" + "fedcba9876543210" * 4,
}
TLS = ssl.create_default_context()  # once: every httpx client would make one of its own, in 30 ms
# What no fault may bring a server to say.
CRASHES = ("Traceback (most recent call last)", "socket_crashed", "batch_failed", "never retrieved", "turn_crashed")


class Backend(StrEnum):
    """What a server stands on."""

    EMBEDDED = "embedded"  # SQLite, one process, in memory
    SERVICES = "services"  # PostgreSQL and Redis


class Answer(NamedTuple):
    """A REST answer."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def data(self) -> Any:
        return self.body["data"]


class Opened(NamedTuple):
    """A session that a test opened."""

    id: str
    host_token: str


class Door:
    """Where people come in: a server, or what stands in front of several."""

    port: int
    host = "127.0.0.1"

    @property
    def base(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    def ws(self, session_id: str) -> str:
        """The address of a session's socket."""
        return f"ws://{self.host}:{self.port}/ws/{session_id}"

    def http(self, method: str, path: str, *, json: Any = None, token: str = "", timeout: float = 30) -> Answer:
        """One REST request; the body is None where it is no JSON."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with httpx.Client(trust_env=False, verify=TLS, timeout=timeout) as client:
            response = client.request(method, self.base + path, json=json, headers=headers)
        is_json = "json" in response.headers.get("content-type", "")
        return Answer(response.status_code, response.json() if is_json else None, response.headers)

    def create_session(self, *, mode: str = "off", pace: str = "instant", **values: Any) -> Opened:
        """Open a session over REST; the spirit is away unless a mode is given."""
        body = {"name": "A test", "max_users": 12, **values, "spirit": {"mode": mode, "pace": pace}}
        answer = self.http("POST", "/api/sessions", json=body)
        assert answer.status == 201, answer
        return Opened(answer.data["id"], answer.body["meta"]["host_token"])


class Server(Door, Child):
    """One `manage.py serve`, of one process. The name that its leases run under stays over a restart."""

    def __init__(
        self, work: Path, name: str, port: int, env: Mapping[str, str], *, on: Host | None = None, **options: Any
    ) -> None:
        self.name, self.port, self.on = name, port, on
        if on is not None:
            self.host = on.address
        command = [sys.executable, "manage.py", "serve", "--host", self.host, "--port", str(port)]
        super().__init__(command, env=env, log=work / f"{name}.log", **options)

    def start(self, timeout: float = 30) -> None:
        """Start it, and wait until it answers."""
        self.spawn()
        self.wait_ready(timeout)

    def wait_ready(self, timeout: float = 30) -> None:
        """Until it listens."""

        def ready() -> bool:
            assert self.alive, f"{self.name} ended: {self.said()[-2000:]}"
            return answers(self.port, self.host)

        wait_until(ready, timeout=timeout, what=f"{self.name} does not listen: {self.said()[-2000:]}")

    def text(self, path: str) -> str:
        """What is no JSON."""
        with httpx.Client(trust_env=False, verify=TLS, timeout=30) as client:
            return client.get(self.base + path).text

    def metric(self, name: str) -> float:
        """The sum of a metric of `/metrics` over all its labels."""
        lines = self.text("/metrics").splitlines()
        rows = (line.rsplit(" ", 1) for line in lines if line.startswith((f"{name} ", f"{name}{{")))
        return sum(float(value) for _, value in rows)


class Stack:
    """One database, its Redis if it has one, and the servers on them. Close it at the end."""

    def __init__(
        self,
        work: Path,
        databases: Databases,
        backend: Backend,
        *,
        own_postgres: bool = False,
        own_redis: bool = True,
        hosts: bool = EACH,
        **settings: str,
    ) -> None:
        """With `hosts` each server runs on a host of its own, and PostgreSQL is the test's own, too."""
        self.work, self.backend, self.settings = work, backend, settings
        self._databases = databases
        work.mkdir(parents=True, exist_ok=True)
        self.postgres: Postgres | None = None
        self.redis: Redis | None = None
        self.servers: list[Server] = []
        self.here = "127.0.0.1"  # as the servers know this machine
        self._names = itertools.count(1)
        if backend is Backend.EMBEDDED:
            self.database_url = databases.sqlite(work)
            return
        if hosts:
            open_services()
            self.here = SERVICES
        if own_postgres or hosts:
            self.postgres, self.database_url = databases.own_postgres(work, host=self.here)
        else:
            self.database_url = databases.on_shared_postgres()
        if own_redis:
            self.redis = Redis(work, host=self.here)
            self.redis.start()

    # --- Servers ------------------------------------------------------------------------------------------------------

    def server(
        self,
        *,
        wait: bool = True,
        database_url: str = "",
        wrap: Sequence[str] = (),
        before: Callable[[], None] | None = None,
        **settings: str,
    ) -> Server:
        """Start a server. `settings` are environment variables, over the stack's and the harness's own."""
        name, port = f"server-{next(self._names)}", free_port()
        var = self.work / name
        var.mkdir()
        redis_url = {"REDIS_URL": self.redis.url} if self.redis else {}
        database = {"DATABASE_URL": database_url or self.database_url}
        on = Host(free_number()) if self.here == SERVICES else None
        called = {"ALLOWED_HOSTS": f"{on.address},127.0.0.1"} if on else {}
        env = clean_environment(
            **{"VAR_DIR": str(var), **DEFAULTS, **called, **redis_url, **database, **self.settings, **settings}
        )
        server = Server(self.work, name, port, env, before=before, on=on)
        server.command = [*(on.wrap if on else []), *wrap, *server.command]
        self.servers.append(server)
        if wait:
            server.start()
        else:
            server.spawn()
        return server

    def crashes(self) -> list[str]:
        """Lines of the servers' logs that no fault excuses."""
        lines = (f"{server.name}: {line}" for server in self.servers for line in server.said().splitlines())
        return [line for line in lines if any(word in line for word in CRASHES)]

    def close(self) -> None:
        """End everything, and drop the database."""
        for child in (*self.servers, self.redis, self.postgres):
            if child is not None and child.alive:
                child.kill9()
        for server in self.servers:
            if server.on is not None:
                server.on.close()
        if self.backend is Backend.SERVICES and self.postgres is None:
            self._databases.drop(self.database_url)

    # --- The database, read past the servers --------------------------------------------------------------------------

    def query(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """Rows of a SELECT with `%(name)s` in it, or of any other statement, which is then committed."""
        if self.backend is Backend.SERVICES:
            with psycopg.connect(self.database_url, autocommit=True) as connection:
                cursor = connection.execute(statement.encode(), values)
                return cursor.fetchall() if cursor.description else []
        for name in values:
            statement = statement.replace(f"%({name})s", f":{name}")
        path = urlsplit(self.database_url).path
        link = sqlite3.connect(path, timeout=10, isolation_level=None)
        try:
            link.execute("PRAGMA foreign_keys=ON")
            return link.execute(statement, {key: _plain(value) for key, value in values.items()}).fetchall()
        finally:
            link.close()

    def wait_for(self, condition: Callable[[], bool], *, timeout: float, what: str) -> float:
        """Wait; returns how long it took."""
        began = time.monotonic()
        wait_until(condition, timeout=timeout, what=what, every=0.1)
        return time.monotonic() - began


def _plain(value: object) -> object:
    """SQLite has UUIDs as 32 hexadecimal digits."""
    text = str(value)
    return text.replace("-", "") if len(text) == 36 and text.count("-") == 4 else value
