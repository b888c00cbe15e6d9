"""sessions_app, the operator's door: where a session is found, as URLs that work on this machine."""

import re
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings

from sessions_app.errors import Code, SeanceError, invalid

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_SCHEMES = {"ws": ("ws", "http"), "http": ("ws", "http"), "wss": ("wss", "https"), "https": ("wss", "https")}


class Address(NamedTuple):
    """A session's REST resource and its socket."""

    rest: str
    socket: str


def default_base() -> str:
    """`host:port` of the server that the settings describe; one that listens everywhere is reached over loopback."""
    host, port = settings.SEANCE.host, settings.SEANCE.port
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"{shown}:{port}"


def address_of(session: UUID, base: str = "") -> Address:
    """The URLs of a session on the server at `base` (an http, https, ws or wss URL; by default the settings' own)."""
    parts = urlsplit(base or f"ws://{default_base()}")
    if parts.scheme not in _SCHEMES or not parts.netloc:
        raise invalid(url="A server's URL looks like ws://host:port.")
    socket, rest = _SCHEMES[parts.scheme]
    prefix = _prefix(parts.path)
    return Address(
        f"{rest}://{parts.netloc}{prefix}/api/sessions/{session}", f"{socket}://{parts.netloc}{prefix}/ws/{session}"
    )


def _prefix(path: str) -> str:
    """The path below which both doors are mounted, in a URL of the server, of one of its doors or of a page of it."""
    if found := re.match(r"(.*?)/(?:ws|api)(?:/|$)", path):
        return found[1]
    return "" if _UUID.search(path) else path.rstrip("/")


def parse(session: str, base: str = "") -> Address:
    """The address of a session given by its id, or by any URL that has its id; raises `SESSION_NOT_FOUND`."""
    found = _UUID.findall(session)
    if not found:
        raise SeanceError(Code.SESSION_NOT_FOUND, "Neither a session's id nor a URL with one.")
    return address_of(UUID(found[-1]), base or (session if "://" in session else ""))
