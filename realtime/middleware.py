"""realtime, before a socket is accepted: where it comes from, and the token it brings along.

A token may come in the Authorization header, as the subprotocol `bearer.<jwt>` beside `seance.v1`, or as the cookie
`seance_access`; never in the query string, which ends up in logs.
"""

from collections.abc import Iterator
from http.cookies import CookieError, SimpleCookie
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from sessions_app import origins
from sessions_app.addresses import client_address

SUBPROTOCOL = "seance.v1"
VERSIONS = "seance.v"  # what a subprotocol of ours begins with, whatever its version
COOKIE = "seance_access"
Scope = dict[str, Any]


class Arrival(NamedTuple):
    """What a handshake says. `token` is unchecked; `address` is the client's, through our own proxies.

    `subprotocol` is what the server selects. Where only other versions are offered it is one of these, so that a
    browser lets the socket open and hears why it is closed; `is_supported` is False then.
    """

    token: str | None
    subprotocol: str | None
    is_supported: bool
    has_token_in_url: bool
    address: str


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of this name."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


def origin_allowed(scope: Scope) -> bool:
    """Whether the page that opens the socket may: its origin is on the list, or is our own.

    A client that is no browser sends no Origin; that is fine unless it comes with a cookie.
    """
    origin = header(scope, b"origin")
    if origin is None:
        return _cookie(scope) is None
    return origins.is_allowed(origin, _host(scope))


def arrive(scope: Scope) -> Arrival:
    """Read the handshake."""
    offered = scope.get("subprotocols") or []
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    in_url = {name for name, _ in query} & {"token", "access_token"}
    versions = [item for item in offered if item.startswith(VERSIONS)]
    is_supported = SUBPROTOCOL in versions or not versions
    return Arrival(
        token=next(_tokens(scope, offered), None),
        subprotocol=next(iter(versions), None) if not is_supported else SUBPROTOCOL if versions else None,
        is_supported=is_supported,
        has_token_in_url=bool(in_url),
        address=address_of(scope),
    )


def address_of(scope: Scope) -> str:
    """The client's, through our own proxies."""
    forwarded = (value.decode("latin-1") for key, value in scope["headers"] if key == b"x-forwarded-for")
    return client_address((scope.get("client") or ("",))[0], ",".join(forwarded))


def _tokens(scope: Scope, offered: list[str]) -> Iterator[str]:
    scheme, _, value = (header(scope, b"authorization") or "").partition(" ")
    if scheme.lower() == "bearer":
        yield value.strip()
    yield from (item.removeprefix("bearer.") for item in offered if item.startswith("bearer."))
    origin = header(scope, b"origin")
    if (value := _cookie(scope) or "") and origin is not None and origins.is_named(origin, _host(scope)):
        yield value


def _host(scope: Scope) -> str:
    return header(scope, b"host") or ""


def _cookie(scope: Scope) -> str | None:
    try:
        morsel = SimpleCookie(header(scope, b"cookie") or "").get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel is not None else None
