"""Tests of the page: a browser for all of them, a server for all that hurt none, and windows that must stay clean."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.windows import Window
from tests.harness.server import Backend, Server, Stack
from tests.harness.services import Databases

# The network is closed around tests: a browser that calls home waits for answers that never come.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Restarts and drains that a test sits through are short, and so is a seat that is kept.
QUICK: dict[str, Any] = {"DRAIN_SECONDS": "1", "SEAT_GRACE_SECONDS": "2", "MAX_USERS_LIMIT": "12"}

OpenWindow = Callable[..., Window]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; CHROMIUM is set by scripts/run_browser_tests.py."""
    path = os.environ.get("CHROMIUM")
    if not path:
        pytest.skip("CHROMIUM is not set: run `make test-browser`")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield found
        found.close()


@pytest.fixture(scope="session")
def table_server(tmp_path_factory: pytest.TempPathFactory, databases: Databases, backend: Backend) -> Iterator[Server]:
    """A server for all tests that leave it alive."""
    stack = Stack(tmp_path_factory.mktemp("table"), databases, backend, **QUICK)
    yield stack.server()
    crashed = stack.crashes()
    stack.close()
    assert crashed == []


@pytest.fixture
def window(browser: Browser, table_server: Server) -> Iterator[OpenWindow]:
    """Open windows, each with a browser profile of its own. At the end none of them may have complained."""
    made: list[Window] = []

    def open_one(server: Server = table_server, **options: object) -> Window:
        made.append(Window(browser, server.base, **options))  # type: ignore[arg-type]
        return made[-1]

    yield open_one
    complaints = [complaint for one in made for complaint in one.complaints]
    for one in made:
        one.close()
    assert complaints == []


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: SCREENSHOTS names a folder, `docs/images` for those of the README."""
    named = os.environ.get("SCREENSHOTS")
    if not named:
        return tmp_path_factory.mktemp("pictures")
    Path(named).mkdir(parents=True, exist_ok=True)
    return Path(named)
