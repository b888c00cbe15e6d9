"""sessions_app/api, the REST door: who calls: `Authorization: Bearer <access token>`, or the cookie `seance_access`.

A token in the query string is not looked at: addresses end up in logs and histories. A token that is there but not
good is a 401 even where nobody needs one, so that a client learns that it expired. The header wins over the cookie.
"""

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from sessions_app.api import cookies
from sessions_app.errors import Code, SeanceError
from sessions_app.models import User
from sessions_app.security import Claims, verify_token
from sessions_app.selectors.people import bearer


class TokenAuthentication(BaseAuthentication):
    """One query: the user, if active. Without a token the caller is nobody (`request.user` is None)."""

    def authenticate(self, request: Request) -> tuple[User, Claims] | None:
        """The user and the claims of the token; raises `UNAUTHORIZED`, and `FORBIDDEN` for a cookie without CSRF."""
        token = self.token_of(request)
        if token is None:
            return None
        claims = verify_token(token)
        user = bearer(claims)
        request._request.authenticated_user = user  # type: ignore[attr-defined]  # for the request's log line
        return user, claims

    def token_of(self, request: Request) -> str | None:
        """The access token that the request carries, if any."""
        return _of_header(request) or _of_cookie(request)

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return "Bearer"


class HeaderAuthentication(TokenAuthentication):
    """For the calls by which one comes by tokens: an old cookie must not be in the way of a new one."""

    def token_of(self, request: Request) -> str | None:
        """Only the header's."""
        return _of_header(request)


def _of_header(request: Request) -> str | None:
    header: str = request.META.get("HTTP_AUTHORIZATION", "")
    if not header:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise SeanceError(Code.UNAUTHORIZED, "The header must be: Authorization: Bearer <access token>.")
    return token.strip()


def _of_cookie(request: Request) -> str | None:
    token: str | None = request.COOKIES.get(cookies.ACCESS)
    if not token:
        return None
    cookies.check_csrf(request)
    return token
