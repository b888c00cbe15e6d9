"""Tests of the admin over a house with a past: ten thousand sessions, a million messages. Each list is held to its
bound, and a browser takes the dashboard's picture."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import FloatRect, Page, sync_playwright

from benchmarks.rows import settings
from scripts.run_browser_tests import chromium
from tests.browser.conftest import FLAGS
from tests.browser.windows import Window
from tests.harness.server import Backend, Stack
from tests.harness.services import Databases

pytestmark = [pytest.mark.long, pytest.mark.services, pytest.mark.processes]
BOUND_MS = 150
QUERIES = 12
EMAIL, PASSWORD = "root@example.org", "a planchette of oak 77"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, databases: Databases, backend: Backend) -> Iterator[Stack]:
    """The database, filled by the benchmark's own program. It takes minutes."""
    stack = Stack(tmp_path_factory.mktemp("past"), databases, backend, ROLLUP_SECONDS="3600")
    said = run(stack, "past")
    assert said.startswith("10000 sessions, 1000000 messages"), said
    yield stack
    stack.close()


def run(stack: Stack, module: str, *arguments: str) -> str:
    """A benchmark on this database; what it said."""
    env = settings(str(stack.work), DATABASE_URL=stack.database_url)
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    return subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, timeout=1800, check=True).stdout


@pytest.fixture(scope="module")
def pages(house: Stack) -> list[tuple[str, float, float, float, int]]:
    """What each page took: its name, ms of CPU here and in PostgreSQL, ms by the clock, queries."""
    found: list[tuple[str, float, float, float, int]] = json.loads(run(house, "admin", "--json").splitlines()[-1])
    assert len(found) > 50
    assert all(queries > 2 for *_, queries in found)  # who asks, and something of the page
    return found


def test_every_page_makes_few_queries(pages: list[tuple[str, float, float, float, int]]) -> None:
    assert {name: queries for name, _, _, _, queries in pages if queries > QUERIES} == {}


def test_every_page_is_fast(pages: list[tuple[str, float, float, float, int]]) -> None:
    assert {name: (here, there) for name, here, there, _, _ in pages if here + there > BOUND_MS} == {}


def whole(page: Page) -> FloatRect:
    """The page from its top to the end of the dashboard, however long that is; the lists below it are Django's."""
    board = page.locator(".seance-charts").bounding_box()
    assert board is not None
    return {"x": 0, "y": 0, "width": 1440, "height": board["y"] + board["height"] + 16}


def test_the_dashboard_shows_the_house(house: Stack, tmp_path: Path) -> None:
    program = chromium()
    if program is None:
        pytest.skip("there is no Chromium")
    env = settings(str(tmp_path), DATABASE_URL=house.database_url, ADMIN_EMAIL=EMAIL, ADMIN_PASSWORD=PASSWORD)
    subprocess.run([sys.executable, "manage.py", "ensure_admin"], env=env, check=True)
    server = house.server()
    pictures = Path(os.environ.get("SCREENSHOTS", tmp_path))

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(Path(program).resolve()), args=FLAGS)
        window = Window(browser, server.base, size={"width": 1440, "height": 1600})
        page = window.page
        window.go("/admin/login/?next=/admin/%3Fspan=week")
        page.get_by_label("Email").fill(EMAIL)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            page.reload()
            page.screenshot(path=pictures / f"admin-{scheme}.jpg", type="jpeg", quality=80, clip=whole(page))
        names, numbers = (page.locator(f".seance-tiles {kind}").all_inner_texts() for kind in ("dt", "dd"))
        bars, lines = (page.locator(f".seance-chart {kind}").count() for kind in ("rect", "path.line"))
        over = window.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        complaints = window.complaints
        window.close()
        browser.close()

    told = dict(zip(names, numbers, strict=True))
    assert int(told["messages"].replace(",", "")) > 20_000
    assert told["live sessions"] == "40"
    assert (bars > 100, lines) == (True, 3)
    assert (complaints, over) == ([], 0)
