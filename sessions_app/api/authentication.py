"""sessions_app/api, the REST door: who calls. `Authorization: Bearer <access token>`, and nothing else.

A token in the query string is not looked at: addresses end up in logs and histories. A token that is there but not
good is a 401 even where nobody needs one, so that a client learns that it expired.
"""

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from sessions_app.errors import Code, SeanceError
from sessions_app.models import User
from sessions_app.security import Claims, verify_token


class TokenAuthentication(BaseAuthentication):
    """One query: the user, if active. Without the header the caller is nobody (`request.user` is None)."""

    def authenticate(self, request: Request) -> tuple[User, Claims] | None:
        """The user and the claims of the token; raises `UNAUTHORIZED`."""
        header: str = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise SeanceError(Code.UNAUTHORIZED, "The header must be: Authorization: Bearer <access token>.")
        claims = verify_token(token.strip())
        try:
            user = User.objects.get(pk=claims.user_id, is_active=True)
        except User.DoesNotExist:
            raise SeanceError(Code.UNAUTHORIZED, "The access token is not valid.") from None
        request._request.authenticated_user = user  # type: ignore[attr-defined]  # for the request's log line
        return user, claims

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return "Bearer"
