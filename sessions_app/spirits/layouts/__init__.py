"""Room: sessions_app/spirits/layouts. Boards are data: one JSON file each, `<name>@<version>.json`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec

_HERE = Path(__file__).parent


class Point(msgspec.Struct, frozen=True):
    """Centre of the lens, in layout units from the top left."""

    x: int
    y: int


class BoardWord(msgspec.Struct, frozen=True):
    """A whole word on the board. `rule` says when it is a shortcut: `opening` only as the first word of a
    sentence, `closing` anywhere, and it ends the script."""

    x: int
    y: int
    rule: Literal["opening", "closing"]


class Layout(msgspec.Struct, frozen=True):
    """A board: `glyphs` maps one character to its place, `words` maps a printed word."""

    id: str
    locale: str
    width: int
    height: int
    glyphs: dict[str, Point]
    words: dict[str, BoardWord]
    rest: Point


class UnknownLayout(LookupError):
    """No layout has this id."""


@lru_cache(maxsize=1)
def layout_ids() -> tuple[str, ...]:
    """Every layout that `get_layout` knows, sorted."""
    return tuple(sorted(path.stem for path in _HERE.glob("*@*.json")))


@lru_cache(maxsize=32)
def get_layout(layout_id: str) -> Layout:
    """The layout of that id, e.g. `classic-en@1`. Raises `UnknownLayout`."""
    # Membership, not path building: an id comes from a URL.
    if layout_id not in layout_ids():
        raise UnknownLayout(layout_id)
    return msgspec.json.decode((_HERE / f"{layout_id}.json").read_bytes(), type=Layout)


def layout_for(locale: str) -> str:
    """The id of the newest board for a language, such as `es-MX`; English where there is none."""
    language = locale.replace("_", "-").split("-")[0].lower()
    found = [layout_id for layout_id in layout_ids() if layout_id.startswith(f"classic-{language}@")]
    return max(found, default="classic-en@1")
