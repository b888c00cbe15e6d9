"""sessions_app/api, the REST door: tokens in cookies, for pages that shall not be able to read them.

`?transport=cookie` on a call below /api/auth sets them in place of returning the tokens. Whoever is known by a cookie
must show with every unsafe method that it is the page that calls, not another one: Django's CSRF token, and an origin
that is allowed.
"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware, get_token
from rest_framework.request import Request

from sessions_app import origins
from sessions_app.errors import Code, SeanceError, invalid
from sessions_app.services.tokens import Tokens

ACCESS, REFRESH = "seance_access", "seance_refresh"
REFRESH_PATH = "/api/auth"
SAFE = ("GET", "HEAD", "OPTIONS")


class _Check(CsrfViewMiddleware):
    """Django's own, which says what is wrong instead of answering."""

    def _reject(self, request: HttpRequest, reason: str) -> Any:
        return reason


def wanted(request: Request) -> bool:
    """Whether the caller wants cookies; raises `VALIDATION_ERROR`, and `FORBIDDEN` for a page of a foreign origin."""
    transport = request.query_params.get("transport")
    if transport is None:
        return False
    if transport != "cookie":
        raise invalid(transport="Must be cookie.")
    check_origin(request)
    return True


def check_origin(request: Request) -> None:
    """A page that says where it is from must be from an allowed origin; raises `FORBIDDEN`."""
    origin: str | None = request.META.get("HTTP_ORIGIN")
    if origin is not None and not origins.is_named(origin, request._request.get_host()):
        raise SeanceError(Code.FORBIDDEN, "Pages of this origin may not come with cookies.")


def check_csrf(request: Request) -> None:
    """For whoever is known by a cookie; raises `FORBIDDEN` for an unsafe method without the token in X-CSRFToken."""
    if request.method in SAFE:
        return
    check_origin(request)
    check, inner = _Check(lambda _: None), request._request  # type: ignore[arg-type]
    check.process_request(inner)
    if check.process_view(inner, None, (), {}):  # type: ignore[arg-type]
        raise SeanceError(Code.FORBIDDEN, "The CSRF token is missing or wrong.")


def refresh_of(request: Request) -> str:
    """The refresh token of the cookie, which only counts with the CSRF token; raises `UNAUTHORIZED`, `FORBIDDEN`."""
    found: str | None = request.COOKIES.get(REFRESH)
    if not found:
        raise SeanceError(Code.UNAUTHORIZED, "There is no refresh cookie.")
    check_csrf(request)
    return found


def csrf_token(request: Request) -> str:
    """What the page must show from now on; the answer also sets it as the cookie `csrftoken`."""
    return get_token(request._request)


def put(response: HttpResponse, tokens: Tokens) -> HttpResponse:
    """Set both cookies."""
    env = settings.SEANCE
    _set(response, ACCESS, tokens.access, env.access_token_expire_minutes * 60, "/", "Lax")
    _set(response, REFRESH, tokens.refresh, env.refresh_token_expire_days * 86400, REFRESH_PATH, "Strict")
    return response


def clear(response: HttpResponse) -> HttpResponse:
    """Take both away."""
    for name, path, same_site in ((ACCESS, "/", "Lax"), (REFRESH, REFRESH_PATH, "Strict")):
        _set(response, name, "", 0, path, same_site)
    return response


def _set(response: Any, name: str, value: str, seconds: int, path: str, same_site: Any) -> None:
    response.set_cookie(
        name, value, max_age=seconds, path=path, samesite=same_site, httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
    )  # fmt: skip
