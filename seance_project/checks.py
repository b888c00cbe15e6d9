"""seance_project: system checks of what settings, overrides and later edits could undo."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from seance_project.databases import is_pooled


@register(Tags.security)
def keys_differ(**_: Any) -> list[CheckMessage]:
    """seance.E001: a token must not be signed with the key that signs cookies."""
    if settings.SIMPLE_JWT["SIGNING_KEY"] != settings.SECRET_KEY:
        return []
    return [
        Error("Access tokens are signed with SECRET_KEY.", hint="Give JWT_SECRET a key of its own.", id="seance.E001")
    ]


@register(Tags.database)
def transactions_wait(**_: Any) -> list[CheckMessage]:
    """seance.E002: SQLite without IMMEDIATE fails when two write; PostgreSQL without limits waits for ever.

    Behind a pooler the limits are the role's, which `serve` looks at.
    """
    database = settings.DATABASES["default"]
    options = database.get("OPTIONS", {})
    if database["ENGINE"].endswith("sqlite3"):
        safe = options.get("transaction_mode") == "IMMEDIATE" and options.get("timeout", 0) > 0
    else:
        has_limits = is_pooled(database) or "lock_timeout" in str(options.get("options"))
        safe = has_limits and not options.get("pool")
    if safe:
        return []
    return [
        Error("The database's OPTIONS lost their locking or time limits.", hint="See databases.py.", id="seance.E002")
    ]


@register(Tags.security)
def origins_are_exact(**_: Any) -> list[CheckMessage]:
    """seance.E003: credentials for any origin would let every page act for its visitor."""
    if not (settings.CORS_ALLOW_ALL_ORIGINS and settings.CORS_ALLOW_CREDENTIALS):
        return []
    return [Error("Every origin may send credentials.", hint="Name the origins in CORS_ORIGINS.", id="seance.E003")]


@register(Tags.security)
def request_log_is_outermost(**_: Any) -> list[CheckMessage]:
    """seance.E004: a response made by a middleware further out would have no request id and no log line."""
    if settings.MIDDLEWARE[:1] == ["seance_project.middleware.RequestMiddleware"]:
        return []
    return [Error("RequestMiddleware is not the outermost middleware.", id="seance.E004")]


@register(Tags.security, deploy=True)
def mails_are_sent(**_: Any) -> list[CheckMessage]:
    """seance.W001: who must confirm an address must get a mail."""
    if not settings.SEANCE.email_verification or settings.SEANCE.email_url:
        return []
    return [
        Warning(
            "Accounts must confirm their address, but no mail is sent.",
            hint="Set EMAIL_URL, or EMAIL_VERIFICATION=false.",
            id="seance.W001",
        )
    ]
