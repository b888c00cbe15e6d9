"""Tests of deployment: Redis as it is beyond one machine: with Sentinels, by TLS, for a user with few rights."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import redis

from tests.harness.processes import Child, clean_environment, free_port, wait_until
from tests.harness.services import Redis, answers

SERVICE, PASSWORD, SENTINEL_PASSWORD = "house", "of-redis", "of-the-sentinels"
DOWN_AFTER_SECONDS = 2


class Sentinel(Child):
    """A Sentinel that watches a primary."""

    def __init__(self, work: Path, name: str, primary: int) -> None:
        self.port = free_port()
        file = work / f"{name}.conf"  # it writes into it what it learns
        lines = [
            f"port {self.port}", "bind 127.0.0.1", f"dir {work}",
            f"requirepass {SENTINEL_PASSWORD}", f"sentinel sentinel-pass {SENTINEL_PASSWORD}",
            f"sentinel monitor {SERVICE} 127.0.0.1 {primary} 2", f"sentinel auth-pass {SERVICE} {PASSWORD}",
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_SECONDS * 1000}",
            f"sentinel failover-timeout {SERVICE} 10000", f"sentinel parallel-syncs {SERVICE} 1",
        ]  # fmt: skip
        file.write_text("\n".join([*lines, ""]))
        command = ["redis-server", str(file), "--sentinel"]
        super().__init__(command, env=clean_environment(), log=work / f"{name}.log", cwd=work)

    def state(self) -> dict[str, object]:
        """What it knows of the primary."""
        with redis.Redis(port=self.port, password=SENTINEL_PASSWORD) as link:
            found: dict[str, object] = link.sentinel_master(SERVICE)
            return found


class Watched:
    """A primary, a replica, and three Sentinels that watch them, all behind passwords."""

    def __init__(self, work: Path) -> None:
        self.primary, self.replica = Redis(work / "one"), Redis(work / "two")
        for server in (self.primary, self.replica):
            server.command += ["--requirepass", PASSWORD, "--masterauth", PASSWORD, "--repl-diskless-sync-delay", "0"]
        self.replica.command += ["--replicaof", "127.0.0.1", str(self.primary.port)]
        self.sentinels = [Sentinel(work, f"sentinel-{number}", self.primary.port) for number in range(3)]

    @property
    def url(self) -> str:
        """As REDIS_URL has it."""
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels)
        return f"sentinel://:{PASSWORD}@{hosts}/{SERVICE}/0?sentinel_password={SENTINEL_PASSWORD}"

    def start(self) -> None:
        """Start all of it, and wait until every Sentinel knows the replica and the two others."""
        for server in (self.primary, self.replica):
            server.start()
        for one in self.sentinels:
            one.spawn()
        wait_until(self._is_known, timeout=30, what="the Sentinels do not know each other", every=0.2)

    def _is_known(self) -> bool:
        with suppress(redis.RedisError):
            states = [one.state() for one in self.sentinels]
            return all(one["num-slaves"] == 1 and one["num-other-sentinels"] == 2 for one in states)
        return False

    def close(self) -> None:
        """End all of it."""
        for child in (*self.sentinels, self.primary, self.replica):
            child.kill9()


class Authority:
    """Somebody who vouches for certificates."""

    def __init__(self, work: Path) -> None:
        self.work = work
        work.mkdir(parents=True, exist_ok=True)
        self.file, self._key = work / "ca.pem", work / "ca.key"
        self._openssl("req", "-x509", *NEW_KEY, "-subj", "/CN=A test", "-keyout", self._key, "-out", self.file)

    def certificate(self, name: str, *, host: str = "IP:127.0.0.1", days: int = 7) -> tuple[Path, Path]:
        """A certificate of a host and its key; one of -1 days has expired."""
        key, request, made = (self.work / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
        subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName={host}"]
        self._openssl("req", "-new", *NEW_KEY, *subject, "-keyout", key, "-out", request)
        by: list[str | Path] = ["-CA", self.file, "-CAkey", self._key, "-CAcreateserial", "-copy_extensions", "copy"]
        self._openssl("x509", "-req", "-in", request, *by, "-days", str(days), "-out", made)
        return made, key

    def _openssl(self, *arguments: str | Path) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=self.work)


NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class TlsRedis(Redis):
    """A Redis that speaks TLS only."""

    def __init__(self, work: Path, authority: Authority, certificate: tuple[Path, Path], *, asks: bool = False) -> None:
        super().__init__(work)
        self.command += [
            "--port", "0", "--tls-port", str(self.port), "--tls-ca-cert-file", str(authority.file),
            "--tls-cert-file", str(certificate[0]), "--tls-key-file", str(certificate[1]),
            "--tls-auth-clients", "yes" if asks else "no",
        ]  # fmt: skip
        self.url = f"rediss://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.spawn()
        wait_until(lambda: answers(self.port), timeout=10, what=f"Redis does not listen: {self.said()[-500:]}")


def code_block(page: Path, begin: str) -> Iterator[str]:
    """The lines of the code block of a page whose first line begins so."""
    blocks = page.read_text(encoding="utf-8").split("```")[1::2]
    (found,) = (block for block in blocks if block.partition("\n")[2].startswith(begin))
    yield from found.partition("\n")[2].strip().splitlines()
