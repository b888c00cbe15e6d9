"""Tests of deployment: a real nginx with the files of deploy/nginx, but for site/, which is ours to write."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.harness.processes import ROOT, Child, clean_environment, free_port, wait_until
from tests.harness.server import Door
from tests.harness.services import answers, let_in

SHIPPED = ROOT / "deploy" / "nginx"
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def nginx_program() -> str:
    """The path of nginx; without one the test is skipped, or fails where REQUIRE_SERVICES=1."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        missing = "nginx is not installed (Debian: nginx)"
        (pytest.fail if os.environ.get("REQUIRE_SERVICES") == "1" else pytest.skip)(missing)
    return found


class Nginx(Door, Child):
    """nginx on a free port, in front of servers on two ports of this machine; `root` holds a folder static/."""

    def __init__(self, work: Path, ports: Sequence[int], root: Path) -> None:
        program = nginx_program()
        self.port = free_port()
        self.files = work / "nginx"
        shutil.copytree(SHIPPED, self.files)
        let_in(work)
        let_in(root)
        hosts = {f"web-{number}:8000": f"127.0.0.1:{port}" for number, port in enumerate(ports, 1)}
        upstream = self._shipped("upstream.conf", hosts)
        upstream += "".join(f"{name}_temp_path {work / name};\n" for name in TEMPORARY)
        (self.files / "site" / "upstream.conf").write_text(upstream)
        places = {"listen 80": f"listen 127.0.0.1:{self.port}", "$static_root /srv": f"$static_root {root}"}
        (self.files / "site" / "listen.conf").write_text(self._shipped("listen.conf", places))
        command = [program, "-c", str(self.files / "nginx.conf"), "-g", f"daemon off; pid {work / 'nginx.pid'};"]
        super().__init__(command, env=clean_environment(TZ="UTC"), log=work / "nginx.log", cwd=work)

    def _shipped(self, name: str, places: dict[str, str]) -> str:
        """A file of site/ as it is shipped, with our ports and paths in place of its own."""
        text = (SHIPPED / "site" / name).read_text()
        for shipped, ours in places.items():
            assert shipped in text, f"{name}: {shipped}"
            text = text.replace(shipped, ours)
        return text

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.spawn()
        wait_until(lambda: answers(self.port), timeout=10, what=f"nginx does not listen: {self.said()[-2000:]}")
