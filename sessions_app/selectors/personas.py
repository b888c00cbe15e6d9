"""sessions_app, reads: the personas that new sessions may have."""

import msgspec

from sessions_app.models import PersonaVersion
from sessions_app.spirits.base import Persona
from sessions_app.spirits.personas import DEFAULT_SLUG


def published() -> list[tuple[Persona, str]]:
    """Every persona in its current version, with the digest of that; the default first, English before the others."""
    rows = PersonaVersion.objects.filter(current_of__isnull=False)
    found = [(msgspec.convert(row.content, Persona), row.digest) for row in rows]
    return sorted(
        found, key=lambda pair: (pair[0].slug != DEFAULT_SLUG, pair[0].slug, pair[0].locale != "en", pair[0].locale)
    )
