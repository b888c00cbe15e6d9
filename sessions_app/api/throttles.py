"""sessions_app/api, the REST door: which limit of the table counts which request."""

from collections.abc import Mapping

from rest_framework.request import Request

from sessions_app import limits
from sessions_app.addresses import client_address
from sessions_app.models import User

READING = ("GET", "HEAD", "OPTIONS")
# View and action -> the limits that count it. A request without a row is one of `reads` or of `writes`.
ROWS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("Auth", "token"): ("logins",),
    ("Auth", "register"): ("registrations",),
    ("Auth", "verify"): ("registrations",),
    ("Auth", "reset"): ("registrations",),
    ("Auth", "set_password"): ("registrations",),
    ("Me", "upgrade"): ("registrations",),
    ("Me", "password"): ("logins",),
    ("Auth", "guest"): ("guests",),
    ("Auth", "refresh"): ("refreshes",),
    ("Auth", "revoke"): ("refreshes",),
    ("Sessions", "create"): ("sessions", "anonymous-sessions"),
    ("OAuth", "begin"): ("oauth",),
    ("OAuth", "prepare"): ("oauth",),
    ("OAuthAnswer", "callback"): ("oauth",),
    ("OAuthAnswer", "token"): ("oauth",),
    ("Complaints", "create"): ("writes", "reports"),
    ("Messages", "create"): ("message-bursts", "messages"),
}


def check(request: Request, view: str, action: str, actor: User | None) -> None:
    """Count a request; raises `RATE_LIMITED`. Limits of users do not count nobody, and those of addresses only nobody
    where there is one of each."""
    address = client_address(request.META.get("REMOTE_ADDR"), request.META.get("HTTP_X_FORWARDED_FOR", ""))
    names = ROWS.get((view, action), ("reads" if request.method in READING else "writes",))
    by_scope = {limits.TABLE[name].scope for name in names}
    for name in names:
        scope = limits.TABLE[name].scope
        if scope == "user" and actor is None:
            continue
        if scope == "address" and actor is not None and "user" in by_scope:
            continue
        limits.hit(name, address if scope == "address" or actor is None else str(actor.id))
