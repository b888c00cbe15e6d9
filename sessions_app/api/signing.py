"""sessions_app/api, the REST door: what the views that hand out tokens share: in the answer, or as cookies."""

from typing import Any

from django.http import HttpResponse
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from sessions_app.api import cookies
from sessions_app.api.authentication import HeaderAuthentication
from sessions_app.api.base import Door
from sessions_app.api.envelope import answer
from sessions_app.api.openapi import enveloped, parameter
from sessions_app.api.shapes import SignedIn, SignedInByCookie, SignedInEither
from sessions_app.models import User
from sessions_app.selectors.shapes import user_data
from sessions_app.services.tokens import Tokens, issue_tokens

SIGNED_IN = enveloped("SignedInAnswer", SignedInEither)
ME_PLACE = {"Location": "/api/auth/me"}
TRANSPORT = parameter(
    "transport", {"type": "string", "enum": ["cookie"]}, "`cookie` sets the tokens as cookies in place of telling them."
)
HEADER_ONLY: list[BaseAuthentication] = [HeaderAuthentication()]


class TokenDoor(Door):
    """A view set that hands out tokens. `by_cookie` says how."""

    by_cookie = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """DRF's hook; before anything is done, so that a refusal leaves nothing behind."""
        super().initial(request, *args, **kwargs)
        self.by_cookie = cookies.wanted(request)

    def signed_in(self, user: User, tokens: Tokens | None = None, *, status: int = 200) -> HttpResponse:
        """The person is in: the tokens, or the cookies."""
        pair = tokens or issue_tokens(user)
        headers = ME_PLACE if status == 201 else None
        if not self.by_cookie:
            return answer(SignedIn(user_data(user), pair.access, pair.refresh), status=status, headers=headers)
        told = SignedInByCookie(user_data(user), cookies.csrf_token(self.request))
        return cookies.put(answer(told, status=status, headers=headers), pair)


class Entrance(TokenDoor):
    """Where one comes in, whoever one was before: a cookie that is there does not count, and cannot be in the way."""

    def get_authenticators(self) -> list[BaseAuthentication]:
        """DRF's hook."""
        return HEADER_ONLY
