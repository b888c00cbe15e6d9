"""Room: sessions_app/spirits/personas. The personas that come with Séance: one JSON file each, for writers to edit.

`<slug>.<locale>.json` holds a `Persona`; grammar symbols that it does not define come from the oracle's pack.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import msgspec

from ..base import Persona

_HERE = Path(__file__).parent
DEFAULT_SLUG = "the-spirit"


class UnknownPersona(LookupError):
    """No bundled persona has this slug and locale."""


def bundled() -> tuple[tuple[str, str], ...]:
    """Every bundled persona as (slug, locale), the default first."""
    pairs = [tuple(path.name.removesuffix(".json").rsplit(".", 1)) for path in _HERE.glob("*.*.json")]
    return tuple(sorted(((p[0], p[1]) for p in pairs), key=lambda pair: (pair[0] != DEFAULT_SLUG, pair)))


@lru_cache(maxsize=64)
def load_persona(slug: str = DEFAULT_SLUG, locale: str = "en") -> Persona:
    """A bundled persona. Raises `UnknownPersona`; `msgspec.ValidationError` names a writer's mistake."""
    if (slug, locale) not in bundled():
        raise UnknownPersona(f"{slug} ({locale})")
    return msgspec.json.decode((_HERE / f"{slug}.{locale}.json").read_bytes(), type=Persona)
