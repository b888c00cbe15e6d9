"""Tests of the whole: fixtures. Loaded by tests/conftest.py.

`backend` is what the environment says: with DATABASE_URL and REDIS_URL services, without them embedded (SQLite, one
process). `make_stack` gives a database, its Redis, and servers on them.
"""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.harness.hosts import EACH, open_services
from tests.harness.server import Backend, Server, Stack
from tests.harness.services import Databases, drop_template

SEED = int(os.environ.get("SEANCE_FAULTS_SEED") or random.SystemRandom().randrange(2**31))
os.environ["SEANCE_FAULTS_SEED"] = str(SEED)  # the same for the processes that a round is spread over

MakeStack = Callable[..., Stack]
_KEPT: list[sqlite3.Connection] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--elsewhere", default="", help="folders, parted by commas, whose tests run on services in a round of their own"
    )


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        "services: needs PostgreSQL and Redis; left out of the embedded round",
        "embedded: only for SQLite; left out of the other round",
        "once: knows no database; left out of the other round too",
        "long: for `make test-long` or `make test-examples`",
        "deploy: for `make test-deploy`",
        "alone: its pass line is in milliseconds; nothing runs beside it",
    ):
        config.addinivalue_line("markers", line)
    if EACH:
        open_services()


def pytest_report_header() -> str:
    return f"faults: seed {SEED} (SEANCE_FAULTS_SEED), backend {chosen_backend()}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test that is for one backend only belongs to that backend's round; it is left out of the other.

    Whatever waits for processes comes first, or a few long files keep one worker busy when the others are done.
    """
    others = ("embedded", "once") if chosen_backend() is Backend.SERVICES else ("services",)
    out = {item for item in items if any(item.get_closest_marker(other) for other in others)}
    elsewhere = [config.rootpath / folder for folder in config.getoption("--elsewhere").split(",") if folder]
    out |= {
        item for item in items
        if any(item.path.is_relative_to(folder) for folder in elsewhere)
        and not item.get_closest_marker("embedded") and not item.get_closest_marker("once")
    }  # fmt: skip
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


def round_folder(factory: pytest.TempPathFactory, config: pytest.Config) -> Path:
    """A folder that all processes of a round share."""
    own = factory.getbasetemp()
    return own.parent if hasattr(config, "workerinput") else own


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Databases]:
    """Fresh databases on the shared PostgreSQL, or SQLite files; dropped at the end."""
    found = Databases(tmp_path_factory.mktemp("databases"), round_folder(tmp_path_factory, pytestconfig))
    yield found
    found.close()


def pytest_unconfigure(config: pytest.Config) -> None:
    factory = getattr(config, "_tmp_path_factory", None)
    if factory is not None and not hasattr(config, "workerinput"):
        drop_template(round_folder(factory, config))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(databases: Databases, django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Django's own test database, too, begins as a copy: `migrate` then finds nothing to do."""
    if connection.vendor == "postgresql":
        connection.settings_dict["TEST"]["TEMPLATE"] = databases.template()
        return
    # In memory each worker has its own; pytest-django knows that of Django's own engine only, and made it a file.
    connection.settings_dict["TEST"]["NAME"] = None
    creation: Any = connection.creation
    create = creation._create_test_db

    def filled(*args: Any, **kwargs: Any) -> str:
        name: str = create(*args, **kwargs)
        kept = sqlite3.connect(name, uri=True)  # in memory it lives as long as somebody has it open
        with closing(sqlite3.connect(databases.sqlite_template())) as template:
            template.backup(kept)
        _KEPT.append(kept)
        return name

    creation._create_test_db = filled


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
