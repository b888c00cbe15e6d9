"""sessions_app/api, the REST door: ids in paths.

What is no UUID names nothing: the path matches all the same, and the view answers as it does for an unknown id.
"""

import re
from typing import Any
from uuid import UUID

from django.urls import URLPattern, path, register_converter
from rest_framework.viewsets import ViewSetMixin

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class IdConverter:
    """One segment of a path, as a UUID, or None where it is none."""

    regex = "[^/]+"

    def to_python(self, value: str) -> UUID | None:
        """Only the canonical form: `uuid.UUID` itself also takes braces, URNs and 32 digits in a row."""
        return UUID(value) if _UUID.fullmatch(value) else None

    def to_url(self, value: object) -> str:
        """For `reverse`."""
        return str(value)


register_converter(IdConverter, "id")


def both(route: str, door: type[ViewSetMixin], actions: dict[str, Any], name: str) -> list[URLPattern]:
    """A route without and with a slash at its end; the second is left out of the OpenAPI document."""
    view: Any = door.as_view(actions)
    twin: Any = door.as_view(actions, schema=None)
    return [path(route, view, name=name), path(f"{route}/", twin)]
