"""Tests of the whole: fixtures. Loaded by tests/conftest.py.

`backend` is what the environment says: `make test` runs everything once without DATABASE_URL and REDIS_URL (embedded:
SQLite, one process) and once with both (services). `make_stack` gives a database, its Redis, and servers on them.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.server import Backend, Server, Stack
from tests.harness.services import Databases

SEED = int(os.environ.get("SEANCE_FAULTS_SEED") or random.SystemRandom().randrange(2**31))
os.environ["SEANCE_FAULTS_SEED"] = str(SEED)  # the same for the processes that a round is spread over

MakeStack = Callable[..., Stack]


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        "services: needs PostgreSQL and Redis; left out of the embedded round",
        "embedded: only for SQLite; left out of the other round",
        "once: knows no database; left out of the other round too",
        "long: for `make test-long`",
    ):
        config.addinivalue_line("markers", line)


def pytest_report_header() -> str:
    return f"faults: seed {SEED} (SEANCE_FAULTS_SEED), backend {chosen_backend()}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test that is for one backend only belongs to that backend's round; it is left out of the other.

    Whatever waits for processes comes first, or a few long files keep one worker busy when the others are done.
    """
    others = ("embedded", "once") if chosen_backend() is Backend.SERVICES else ("services",)
    out = {item for item in items if any(item.get_closest_marker(other) for other in others)}
    if out:
        config.hook.pytest_deselected(items=list(out))
        items[:] = [item for item in items if item not in out]
    items.sort(key=lambda item: item.get_closest_marker("processes") is None)


def chosen_backend() -> Backend:
    """What DATABASE_URL and REDIS_URL say."""
    both = os.environ.get("DATABASE_URL", "").startswith("postgres") and os.environ.get("REDIS_URL")
    return Backend.SERVICES if both else Backend.EMBEDDED


@pytest.fixture(scope="session")
def backend() -> Backend:
    """What this round stands on."""
    return chosen_backend()


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Randomness that SEANCE_FAULTS_SEED repeats."""
    return random.Random(f"{SEED}:{request.node.name}")


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Fresh databases on the shared PostgreSQL, or SQLite files; dropped at the end."""
    found = Databases(tmp_path_factory.mktemp("databases"))
    yield found
    found.close()


@pytest.fixture
def make_stack(tmp_path: Path, databases: Databases, backend: Backend) -> Iterator[MakeStack]:
    """Call it for a database of the test's own and, with services, a Redis; it ends with the test.

    `own_postgres=True` also starts a PostgreSQL server that may be hurt. Other keywords are environment variables of
    the servers.
    """
    made: list[Stack] = []

    def make(**options: Any) -> Stack:
        stack = Stack(tmp_path / f"stack-{len(made)}", databases, options.pop("backend", backend), **options)
        made.append(stack)
        return stack

    yield make
    for stack in made:
        stack.close()


@pytest.fixture(scope="session")
def shared_stack(tmp_path_factory: pytest.TempPathFactory, databases: Databases, backend: Backend) -> Iterator[Stack]:
    """A stack for all tests that hurt nothing."""
    stack = Stack(tmp_path_factory.mktemp("shared"), databases, backend)
    yield stack
    stack.close()


@pytest.fixture(scope="session")
def shared_server(shared_stack: Stack) -> Server:
    """A server for all tests that hurt nothing: each opens sessions of its own on it."""
    return shared_stack.server()
