"""Tests of seance_project.static: what collectstatic leaves is named by its hash, kept for ever, and may be a CDN's."""

from __future__ import annotations

import gzip
import http.client
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.project.helpers import PRODUCTION, environment, free_port, manage, serving

pytestmark = [pytest.mark.processes, pytest.mark.once]
CDN = "https://cdn.example.org"
PAGES = ("/board/", "/docs", "/redoc", "/docs/events", "/admin/login/")
FOR_EVER = "max-age=315360000, public, immutable"


class Got(NamedTuple):
    """An answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Site(NamedTuple):
    """A production server whose files were collected, and whose pages load them from a CDN."""

    port: int
    env: dict[str, str]

    def get(self, path: str, **headers: str) -> Got:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path, headers={"X-Forwarded-Proto": "https", **headers})
        response = connection.getresponse()
        got = Got(response.status, response.headers, response.read())
        connection.close()
        return got


@pytest.fixture(scope="module")
def site(served_var: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("static")
    urls = {"STATIC_ROOT": str(root), "STATIC_URL": f"{CDN}/static/"}
    env = environment(served_var, **PRODUCTION, **urls, TRUSTED_PROXY_COUNT="1")
    collected = manage("collectstatic", "--noinput", "-v0", env=env, timeout=60)
    assert collected.returncode == 0, collected.stderr
    port = free_port()
    with serving(env=env, port=port):
        yield Site(port, env)


def links(page: bytes) -> list[str]:
    """What a page loads, without the documents that it links to."""
    found = re.findall(r'<(?:script|link|img)[^>]*\s(?:src|href)="([^"]+)"', page.decode())
    return [link for link in found if not link.startswith("data:")]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_hashed_files_from_the_cdn_which_the_server_has_too(site: Site, page: str) -> None:
    loaded = links(site.get(page).body)

    assert loaded
    for link in loaded:
        assert re.fullmatch(rf"{CDN}/static/[\w./-]+\.[0-9a-f]{{12}}\.\w+", link)
        got = site.get(link.removeprefix(CDN))
        assert (got.status, got.headers["Cache-Control"]) == (200, FOR_EVER)
        assert got.headers["Access-Control-Allow-Origin"] == "*", "fonts and modules of another host need it"
        assert got.headers["X-Content-Type-Options"] == "nosniff"


def test_the_fonts_of_a_style_are_hashed_and_relative_to_it(site: Site) -> None:
    style = next(link for link in links(site.get("/board/").body) if link.endswith(".css")).removeprefix(CDN)

    fonts = re.findall(r'url\("?([^)"]+\.woff2)"?\)', site.get(style).body.decode())

    assert len(fonts) == 3
    for font in fonts:
        got = site.get(f"{style.rpartition('/')[0]}/{font}")
        assert (got.status, got.headers["Cache-Control"]) == (200, FOR_EVER)


def test_a_file_is_sent_compressed_and_its_plain_name_is_gone(site: Site) -> None:
    script = next(link for link in links(site.get("/board/").body) if link.endswith(".js")).removeprefix(CDN)

    packed = site.get(script, **{"Accept-Encoding": "gzip", "X-Request-ID": "file-1"})
    plain_name = site.get("/static/realtime/board/board.js", **{"X-Request-ID": "file-2"})

    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == site.get(script).body
    assert plain_name.status == 404
    assert packed.headers["X-Request-ID"] == "file-1"
    assert plain_name.headers.get_all("X-Request-ID") == ["file-2"]


def test_the_policy_lets_the_cdn_in_for_files_and_for_nothing_else(site: Site) -> None:
    policy = dict(
        part.strip().split(" ", 1) for part in site.get("/board/").headers["Content-Security-Policy"].split(";")
    )

    with_cdn = {name for name, sources in policy.items() if CDN in sources.split()}
    assert with_cdn == {"script-src", "style-src", "img-src", "font-src"}
    assert policy["connect-src"] == policy["default-src"] == "'self'"


def test_a_server_whose_files_were_not_collected_is_refused_in_one_line(site: Site, tmp_path: Path) -> None:
    done = manage("serve", "--port", "0", env=site.env | {"STATIC_ROOT": str(tmp_path)})

    assert done.returncode == 1
    assert done.stderr == "CommandError: STATIC_ROOT: is not filled: run `python manage.py collectstatic` first.\n"
