"""Tests of what can go wrong: which of them run when, and the figures that they leave.

`make test` runs the tests marked `faults_fast`, at a small size. `make faults` (SEANCE_FAULTS=full) runs all of them at
full size and writes docs/reliability.md.
"""

from __future__ import annotations

import os
import resource
from collections.abc import AsyncIterator, Iterator
from typing import cast

import pytest

from tests.faults import figures
from tests.harness.client import stop_all
from tests.harness.hosts import EACH
from tests.harness.plugin import SEED, chosen_backend
from tests.harness.server import Backend

FULL = os.environ.get("SEANCE_FAULTS") == "full"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "faults_fast: a fault in a size that `make test` can afford")
    config.addinivalue_line("markers", "row(text, line): the row of the fault table, and its pass line")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    mine = [item for item in items if "faults" in item.path.parts]
    out = [] if FULL else [item for item in mine if not item.get_closest_marker("faults_fast")]
    if EACH:  # one process has nobody to be cut off from
        out = mine if chosen_backend() is Backend.EMBEDDED else out
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]  # a pluggy result
    row = item.get_closest_marker("row")
    if row is None or (report.when != "call" and report.passed):
        return
    said, stood_on = item.stash.get(figures.SAID, []), item.stash.get(figures.STOOD_ON, "")
    report.user_properties.append(("row", [*row.args, stood_on, said]))  # travels to the process that sums up


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    rows = [cast("tuple[str, str, str, list[str]]", value) for name, value in report.user_properties if name == "row"]
    for text, line, stood_on, said in rows:
        figures.note(text, line, stood_on, report.outcome, said)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows = figures.noted()
    if not rows:
        return
    terminalreporter.section(f"faults, seed {SEED}")
    for row in rows:
        terminalreporter.write_line(f"{row.outcome:7} {row.fault} [{row.backend}]: {'; '.join(row.said)}")


def pytest_sessionfinish() -> None:
    if FULL and figures.noted() and figures.PAGE.exists():
        figures.write(SEED)


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether the faults run at full size."""
    return FULL


@pytest.fixture
def tell(request: pytest.FixtureRequest, backend: Backend) -> figures.Tell:
    """Say a figure that belongs into the table: `tell("acks ≤ 0.2 s")`."""
    said: list[str] = []
    request.node.stash[figures.SAID] = said
    request.node.stash[figures.STOOD_ON] = "hosts" if EACH else str(backend)
    return said.append


@pytest.fixture(autouse=True)
async def _nobody_stays() -> AsyncIterator[None]:
    """However a test ends, its people go home."""
    yield
    await stop_all()


@pytest.fixture(scope="session", autouse=True)
def _many_files() -> None:
    """A thousand clients need as many descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else max(soft, 65_536), hard))
