"""sessions_app, the kitchen: which web origins may act for whom visits their pages; asked by both doors."""

from urllib.parse import urlsplit

from django.conf import settings


def is_allowed(origin: str, host: str) -> bool:
    """Whether pages of this origin may call: it is on the list, or is the server's own (`host`). `null` is nobody's."""
    return (bool(settings.CORS_ALLOW_ALL_ORIGINS) and origin != "null") or is_named(origin, host)


def is_named(origin: str, host: str) -> bool:
    """The same where a cookie says who calls: then the list must name the origin, and `*` names nobody."""
    if origin in settings.CORS_ALLOWED_ORIGINS:
        return True
    try:
        return origin != "null" and urlsplit(origin).netloc == host
    except ValueError:  # a bracket that is not closed
        return False
