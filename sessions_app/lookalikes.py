"""sessions_app, the kitchen: names that read the same, though they are written otherwise.

Two names look alike where their skeletons are equal (Unicode Technical Standard #39, section 4), with or without the
difference of capitals. Spaces and what draws nothing are left out first.
"""

import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

_DATA = Path(__file__).with_name("confusables.txt")
_NO_INK = {"Cf", "Cc", "Zs", "Zl", "Zp"}


@cache
def _prototypes() -> dict[int, str]:
    """Character -> what it looks like, for `str.translate`; read at the first need, as most names are ASCII."""
    found: dict[int, str] = {}
    for line in _DATA.read_text(encoding="ascii", errors="ignore").splitlines():
        prototype, _, sources = line.partition(" < ")
        if sources:
            looks = "".join(chr(int(code, 16)) for code in prototype.split())
            found |= {int(code, 16): looks for code in sources.split()}
    return found


def skeleton(text: str) -> str:
    """What is left of a text when look-alikes are the same."""
    bare = "".join(one for one in unicodedata.normalize("NFD", text) if unicodedata.category(one) not in _NO_INK)
    return unicodedata.normalize("NFD", bare.translate(_prototypes()))


@lru_cache(maxsize=8192)
def looks(name: str) -> frozenset[str]:
    """The skeletons of a name, as it is and without capitals: names look alike where they share one."""
    as_it_is = skeleton(name)
    return frozenset((as_it_is, as_it_is.casefold(), skeleton(name.casefold())))


def first_alike(name: str, others: Iterable[str]) -> int | None:
    """The index of the first of the other names that reads the same, or None."""
    own = looks(name)
    return next((n for n, other in enumerate(others) if not own.isdisjoint(looks(other))), None)
