"""benchmarks: a real server of one process, and what it costs as the kernel counts it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from types import TracebackType
from typing import Any

import psycopg
import redis

from benchmarks.rows import cpu_seconds

START_SECONDS = 60


class Served:
    """`manage.py serve` in the environment of this process, on a free port of the loopback interface.

    What is given by name is set besides.
    """

    def __init__(self, **settings: str) -> None:
        self.environment = os.environ | settings
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.database = os.environ.get("DATABASE_URL", "")

    def __enter__(self) -> Served:
        manage = [sys.executable, "manage.py"]
        subprocess.run([*manage, "migrate", "--noinput", "-v0"], check=True)
        command = [*manage, "serve", "--host", "127.0.0.1", "--port", str(self.port)]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(command, stdout=quiet, stdin=quiet, env=self.environment)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                urllib.request.urlopen(self.url("/health/live"), timeout=5).close()  # noqa: S310  our own
                return self
            except OSError:
                assert self.process.poll() is None, "the server ended"
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.05)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def open_session(self) -> str:
        """Open a session without a spirit; its id."""
        body = {"name": "A benchmark", "max_users": 60, "spirit": {"mode": "off"}}
        request = urllib.request.Request(  # noqa: S310  our own
            self.url("/api/sessions"), json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310  our own
            found: dict[str, Any] = json.load(response)
        return str(found["data"]["id"])

    def cpu(self) -> tuple[float, float]:
        """CPU seconds so far of the server, and of the PostgreSQL backends that serve it."""
        return cpu_seconds(self.process.pid), sum(self._of(pid) for pid in self._backends())

    def resident_kib(self) -> int:
        """Its resident memory."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii", errors="replace") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))

    def _backends(self) -> list[int]:
        if not self.database.startswith("postgres"):
            return []
        with psycopg.connect(self.database, autocommit=True) as link:
            query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            return [row[0] for row in link.execute(query)]

    @staticmethod
    def _of(pid: int) -> float:
        try:
            return cpu_seconds(pid)
        except OSError:  # it is gone, or on another machine
            return 0.0


def redis_seconds() -> float:
    """CPU seconds of Redis so far, whoever it serves."""
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as link:
        found = link.info("cpu")
    return float(found["used_cpu_user"]) + float(found["used_cpu_sys"])
