"""Tests of the Dockerfile: each of its instructions is run, and what they make serves, drains and ends well."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.compose import NEEDED, filled
from tests.deploy.image import Image, argv, parse
from tests.harness.client import RawClient
from tests.harness.processes import ROOT, free_port, wait_until
from tests.harness.server import Door, Stack
from tests.harness.services import answers

pytestmark = [pytest.mark.deploy, pytest.mark.services, pytest.mark.processes]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    made = Image(tmp_path_factory.mktemp("image"))
    yield made
    made.close()


class Container(Door):
    """The image's CMD as process 1 of a process namespace, with these variables."""

    def __init__(self, image: Image, log: Path, **variables: str) -> None:
        self.image, self.port, self.log = image, free_port(), log
        self.env = {**variables, "PORT": str(self.port)}
        wrap = ["unshare", "--pid", "--fork", "--kill-child"]
        command = image.last.command(argv(image.last.said["CMD"]), self.env, wrap)
        with log.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        wait_until(lambda: self._listens(), timeout=60, what=f"it does not listen: {log}")

    def _listens(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return answers(self.port)

    @property
    def first(self) -> int:
        """Its process 1, by the number that it has out here."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def status(self) -> str:
        """What the kernel says of process 1."""
        return Path(f"/proc/{self.first}/status").read_text()

    def healthy(self) -> bool:
        """What the HEALTHCHECK says."""
        return self.image.last.run(argv(self.image.last.said["HEALTHCHECK"]), self.env).returncode == 0


@pytest.fixture
def composed(stack: Stack) -> dict[str, str]:
    """The variables that compose.yaml gives a web process, with our services for its own, and nothing in them yet."""
    assert stack.redis is not None
    stack.query("DROP SCHEMA public CASCADE")
    stack.query("CREATE SCHEMA public")
    ours = {"ADMIN_EMAIL": "admin@example.org", "ADMIN_PASSWORD": "correct horse", "ALLOWED_HOSTS": "127.0.0.1"}
    given = filled(NEEDED | ours)
    variables: dict[str, str] = given["services"]["web-1"]["environment"]
    assert variables["DATABASE_URL"] == "postgresql://seance:s3cret@postgres:5432/seance"
    assert variables["REDIS_URL"] == "redis://redis:6379/0"
    return variables | {"DATABASE_URL": stack.database_url, "REDIS_URL": stack.redis.url}


async def test_what_compose_starts_serves_as_nobody_special_and_drains_when_told_to_stop(
    image: Image, composed: dict[str, str], stack: Stack, tmp_path: Path
) -> None:
    prepare = filled()["services"]["prepare"]["command"]
    prepared = await asyncio.to_thread(image.last.run, prepare, composed)
    assert prepared.returncode == 0, prepared.stderr
    static = (await asyncio.to_thread(image.last.run, ["ls", "/srv/static"])).stdout.split()
    container = await asyncio.to_thread(Container, image, tmp_path / "log", **composed)
    try:
        room = await asyncio.to_thread(container.create_session)
        socket = await RawClient.open(container.ws(room.id))
        await socket.join(name="Ada")
        status = await asyncio.to_thread(container.status)
        healthy = await asyncio.to_thread(container.healthy)

        os.kill(container.first, signal.SIGTERM)
        goodbye = await socket.expect("goodbye")
        closed = await socket.closed()
        code = await asyncio.to_thread(container.process.wait, 30)
    finally:
        container.process.kill()
        container.process.wait()

    assert stack.query("SELECT email FROM users WHERE is_superuser") == [("admin@example.org",)]
    assert "staticfiles.json" in static
    assert "\nUid:\t10001\t10001\t10001\t10001\n" in status
    assert status.split("\nNSpid:\t")[1].split("\n")[0].split()[-1] == "1"
    assert healthy
    assert not await asyncio.to_thread(container.healthy)
    assert (goodbye["data"]["reason"], closed, code) == ("draining", 4006, 0)
    assert "process_stopped" in container.log.read_text()
    assert "Traceback" not in container.log.read_text()


def test_the_code_is_not_the_servers_to_change_and_var_is_its_own(image: Image) -> None:
    for path in ("/app/manage.py", "/app/seance_project/new.py", "/app/static/new.css", "/venv/new"):
        assert image.last.run(["touch", path]).returncode != 0, path
    for path in ("/app/var/new", "/srv/static/new"):
        assert image.last.run(["touch", path]).returncode == 0, path


def test_it_holds_the_server_and_its_files_and_nothing_that_develops_or_tests_it(image: Image) -> None:
    files = image.last.run(["ls", "-a", "/app"]).stdout.split()
    packages = image.last.run(["ls", f"/venv/lib/python3.{sys.version_info.minor}/site-packages"]).stdout.split()
    static = image.last.run(["ls", "/app/static"]).stdout.split()

    assert set(files) == {
        ".",
        "..",
        "__pycache__",
        "manage.py",
        "realtime",
        "requirements.txt",  # which doctor holds the packages against
        "seance_project",
        "sessions_app",
        "static",
        "var",
    }
    assert "django" in packages
    assert not {"pytest", "mypy", "hypothesis"} & set(packages)
    assert {"staticfiles.json", "realtime", "admin"} <= set(static)


def test_the_lock_alone_decides_what_is_installed() -> None:
    (installing,) = [found.rest for found in parse((ROOT / "Dockerfile").read_text()) if "pip install" in found.rest]

    assert {"--require-hashes", "--only-binary", "requirements.txt"} <= set(installing.split())
