"""Tests of the REST door: personas and boards."""

import pytest

from sessions_app.spirits.layouts import layout_ids
from tests.api.conftest import Caller


def test_a_persona_says_what_it_is(nobody: Caller) -> None:
    listed, one = nobody.get("/api/spirits"), nobody.get("/api/spirits/the-spirit")

    assert one.data in listed.data
    assert list(one.data) == [
        "slug", "name", "version", "locale", "summary", "audience", "digest", "is_ai", "statement",
    ]  # fmt: skip
    assert one.data["is_ai"] is True
    assert "no person" in one.data["statement"]


@pytest.mark.parametrize("layout", layout_ids())
def test_a_board_has_its_coordinates(nobody: Caller, layout: str) -> None:
    board = nobody.get(f"/api/board/layouts/{layout}").data

    assert board["id"] == layout
    assert board["glyphs"]["A"] == {"x": 160, "y": 450}


@pytest.mark.parametrize("name", ["nobody", "..", "%2e%2e%2fsecrets", "classic-en", "%00", "the-spirit.en"])
def test_what_is_not_published_is_not_found(nobody: Caller, name: str) -> None:
    assert nobody.get(f"/api/board/layouts/{name}").outcome == (404, "NOT_FOUND")
    assert nobody.get(f"/api/spirits/{name}").outcome == (404, "NOT_FOUND")
