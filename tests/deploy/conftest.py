"""Tests of deployment: two servers that share everything, their collected static files, and nginx in front of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.nginx import Nginx
from tests.deploy.redis import Watched
from tests.harness.client import stop_all
from tests.harness.processes import clean_environment, manage
from tests.harness.server import Backend, Server, Stack
from tests.harness.services import Databases

# Limits are counted, so that it shows whom they are counted for; people may talk as much as they like.
SETTINGS: dict[str, Any] = {
    "RATE_LIMITS_ENABLED": "true",
    "RATE_LIMITS": "logins=3/minute,session-messages=100000/second,anonymous-sessions=100000/minute",
    "MESSAGES_BURST": "1000",
    "MESSAGES_PER_MINUTE": "100000",
    "SOCKET_FRAMES_PER_MINUTE": "100000",
    "TRUSTED_PROXY_COUNT": "1",
    "DRAIN_SECONDS": "1",
}


@pytest.fixture(scope="session")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the collected files in static/."""
    work = tmp_path_factory.mktemp("collected")
    env = clean_environment(VAR_DIR=str(work / "var"), STATIC_ROOT=str(work / "static"))
    manage("collectstatic", "--noinput", "-v0", env=env)
    return work


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, databases: Databases, backend: Backend, collected: Path
) -> Iterator[Stack]:
    made = Stack(
        tmp_path_factory.mktemp("stack"), databases, backend, STATIC_ROOT=str(collected / "static"), **SETTINGS
    )
    yield made
    made.close()
    assert made.crashes() == []


@pytest.fixture(scope="module")
def servers(stack: Stack) -> list[Server]:
    return [stack.server() for _ in range(2)]


@pytest.fixture(scope="module")
def nginx(servers: list[Server], collected: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """nginx in front of both servers."""
    made = Nginx(tmp_path_factory.mktemp("nginx"), [server.port for server in servers], collected)
    made.start()
    yield made
    made.kill9()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A primary Redis with a replica and three Sentinels."""
    made = Watched(tmp_path / "redis")
    made.start()
    yield made
    made.close()


@pytest.fixture(autouse=True)
async def _nobody_stays() -> AsyncIterator[None]:
    """However a test ends, its people go home."""
    yield
    await stop_all()
