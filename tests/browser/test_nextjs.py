"""Tests of the Next.js example: built for a real server, and a séance held on it. `make test-examples` installs it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import OpenWindow
from tests.harness.processes import ROOT, Child, clean_environment, free_port, wait_until
from tests.harness.server import Backend, Stack
from tests.harness.services import Databases, answers

pytestmark = [pytest.mark.processes, pytest.mark.long]
EXAMPLE = ROOT / "clients" / "typescript" / "examples" / "nextjs"


class Site(Child):
    """The example's own server, on a free port."""

    def __init__(self, port: int, log: Path) -> None:
        command = ["node", "node_modules/next/dist/bin/next", "start", "--hostname", "127.0.0.1", "--port", str(port)]
        super().__init__(command, env=clean_environment(NEXT_TELEMETRY_DISABLED="1"), log=log, cwd=EXAMPLE)
        self.port, self.base = port, f"http://127.0.0.1:{port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.spawn()
        wait_until(lambda: answers(self.port), timeout=30, what=f"the example does not listen: {self.said()[-2000:]}")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, databases: Databases, backend: Backend) -> Iterator[Site]:
    """The example, built for a server that lets its pages in."""
    work = tmp_path_factory.mktemp("nextjs")
    site = Site(free_port(), work / "next.log")
    stack = Stack(work, databases, backend, CORS_ORIGINS=site.base)
    server = stack.server()
    env = clean_environment(NEXT_TELEMETRY_DISABLED="1", NEXT_PUBLIC_SEANCE_URL=server.base)
    built = subprocess.run(["npm", "run", "build"], cwd=EXAMPLE, env=env, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    site.start()
    yield site
    site.kill9()
    stack.close()


def test_two_people_hold_a_seance_on_the_example(window: OpenWindow, site: Site) -> None:
    ada, grace = window(site), window(site, allow="status of 404")
    ada.go("/")
    ada.page.get_by_label("Your name").fill("Ada")
    ada.page.get_by_label("The séance is called").fill("Friday night")
    ada.press("Open it")
    ada.see("At the table: Ada")
    grace.go(ada.page.url)
    grace.page.get_by_label("Your name").fill("Grace")
    grace.press("Sit down")
    ada.see("At the table: Ada, Grace")

    grace.ask("Is anyone there?")
    ada.until(lambda: ada.page.locator(".spelt").text_content() != "", "the board spells")
    for one in (ada, grace):
        one.page.get_by_role("listitem").filter(has_text="The spirit").wait_for()
        assert one.page.get_by_role("listitem").first.inner_text() == "Grace Is anyone there?"
    grace.page.reload()

    grace.see("At the table: Ada, Grace")
    assert grace.page.get_by_role("listitem").count() == 2
    grace.go("/rooms/nowhere")
    grace.see("Nobody sits here")
