"""Tests of realtime: two servers for all of them, each test in sessions of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.harness.server import Backend, Server, Stack
from tests.harness.services import Databases
from tests.realtime.client import Place, visiting

ORIGIN = "https://board.example"
# Waits that a test sits through are short; rates are not counted.
QUICK: dict[str, Any] = {
    "SEAT_GRACE_SECONDS": "1",
    "HEAD_POLL_SECONDS": "1",
    "JOIN_WAIT_SECONDS": "2",
    "RESUME_MAX_EVENTS": "100",
    "CORS_ORIGINS": ORIGIN,
}
# As it is in production: every limit has its default.
STRICT: dict[str, Any] = {"RATE_LIMITS_ENABLED": "true", "HEAD_POLL_SECONDS": "1", "MAX_USERS_LIMIT": "12"}


@pytest.fixture(scope="session")
def quick_stack(tmp_path_factory: pytest.TempPathFactory, databases: Databases, backend: Backend) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("quick"), databases, backend, **QUICK)
    yield stack
    stack.close()
    assert stack.crashes() == []


@pytest.fixture(scope="session")
def quick_server(quick_stack: Stack) -> Server:
    return quick_stack.server()


@pytest.fixture(scope="session")
def strict_stack(tmp_path_factory: pytest.TempPathFactory, databases: Databases, backend: Backend) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("strict"), databases, backend, **STRICT)
    yield stack
    stack.close()
    assert stack.crashes() == []


@pytest.fixture(scope="session")
def strict_server(strict_stack: Stack) -> Server:
    return strict_stack.server()


@pytest.fixture
async def quick(quick_server: Server) -> AsyncIterator[Place]:
    """A server with short waits, where nothing is counted per time."""
    async with visiting(quick_server) as place:
        yield place


@pytest.fixture
async def strict(strict_server: Server) -> AsyncIterator[Place]:
    """A server with every limit as it is by default."""
    async with visiting(strict_server) as place:
        yield place
