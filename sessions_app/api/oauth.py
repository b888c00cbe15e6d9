"""sessions_app/api, the REST door: coming in by way of an OAuth provider."""

import re
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from sessions_app import origins, policies
from sessions_app.api import cookies
from sessions_app.api.base import Door
from sessions_app.api.envelope import answer, whole
from sessions_app.api.openapi import enveloped, operation, parameter
from sessions_app.api.shapes import OAuthProvider, OAuthWay, PageMeta, Untied
from sessions_app.api.signing import HEADER_ONLY, SIGNED_IN, TRANSPORT, Entrance, TokenDoor
from sessions_app.errors import Code, SeanceError, invalid
from sessions_app.inputs import OAuthCode, OAuthStart, read
from sessions_app.models import OAuthAttempt
from sessions_app.oauth.providers import Provider, check_issuer
from sessions_app.services import oauth as services
from sessions_app.services.tokens import issue_tokens

LIST = enveloped("OAuthProvidersAnswer", list[OAuthProvider], PageMeta)
WAY = enveloped("OAuthWayAnswer", OAuthWay)
UNTIED = enveloped("UntiedAnswer", Untied)
PROVIDER = parameter("provider", {"type": "string"}, "The provider's name.", place="path")
NEXT = parameter(
    "next", {"type": "string", "maxLength": 2000}, "The page to come back to: of an allowed origin, or a path here."
)
STATE = parameter("state", {"type": "string"}, "What the provider was given.")
CODE = parameter("code", {"type": "string"}, "What the provider gives.")
ERROR = parameter("error", {"type": "string"}, "Why the provider gives nothing.")
ISSUER = parameter("iss", {"type": "string"}, "Who gives it (RFC 9207).")
CODE_MAX = 8192  # some providers pack a lot into one
BROWSER, BROWSER_PATH, BROWSER_SECONDS = "seance_oauth", "/api/auth/oauth", 600
ELSEWHERE: dict[tuple[int, str], Any] = {(302, "text/html"): (str, "")}  # its `Location` says it all


class Providers(Door):
    """`/api/auth/oauth`."""

    @operation("listOAuthProviders", "auth", "The OAuth providers", answers={200: LIST})
    def list(self, request: Request) -> HttpResponse:
        """Where one can come in from."""
        found = services.providers().values()
        return whole([OAuthProvider(one.name, one.title, f"/api/auth/oauth/{one.name}") for one in found])


class OAuth(TokenDoor):
    """`/api/auth/oauth/{provider}`."""

    def get_authenticators(self) -> list[BaseAuthentication]:
        """DRF's hook. Who follows a link comes in, whoever one was before; who posts may want to be tied."""
        method = getattr(self.request, "method", None)  # there is no request where the OpenAPI document is made
        return HEADER_ONLY if method in ("GET", "HEAD") else super().get_authenticators()

    @operation(
        "beginOAuth", "auth", "Go to an OAuth provider", answers={}, parameters=[PROVIDER, NEXT, TRANSPORT],
        errors=[Code.NOT_FOUND, Code.VALIDATION_ERROR, Code.FORBIDDEN], others=ELSEWHERE,
    )  # fmt: skip
    def begin(self, request: Request, provider: str) -> HttpResponseBase:
        """For a link: 302 to the provider, whose answer comes to `…/callback`."""
        begun = self._begin(request, provider, request.query_params.get("next", ""), link=False)
        response: HttpResponseBase = _put_browser(HttpResponseRedirect(begun.url), begun.browser)
        return response

    @operation(
        "prepareOAuth", "auth", "Ask for the way to an OAuth provider", answers={200: WAY}, body=OAuthStart,
        parameters=[PROVIDER, TRANSPORT], errors=[Code.NOT_FOUND, Code.FORBIDDEN],
    )  # fmt: skip
    def prepare(self, request: Request, provider: str) -> HttpResponse:
        """For a script: the address to go to. With a token, that person is tied to the provider; a guest becomes an
        account by it and keeps everything."""
        begun = self._begin(request, provider, read(OAuthStart, request.data).next, link=True)
        response: HttpResponse = _put_browser(answer(OAuthWay(begun.url)), begun.browser)
        return response

    @operation(
        "untieOAuth", "auth", "Come in by an OAuth provider no more", answers={200: UNTIED}, parameters=[PROVIDER],
        errors=[Code.NOT_FOUND, Code.FORBIDDEN], caller="known",
    )  # fmt: skip
    def destroy(self, request: Request, provider: str) -> HttpResponse:
        """Not where it is the only way in."""
        user = policies.require_user(self.actor)
        services.untie(actor=user, provider=services.provider_of(provider))
        return answer(Untied(provider))

    def _begin(self, request: Request, name: str, return_to: str, *, link: bool) -> services.Begun:
        provider = services.provider_of(name)
        return services.begin(
            provider=provider,
            redirect_uri=_redirect_uri(request, provider),
            actor=self.actor if link else None,
            browser=request.COOKIES.get(BROWSER, "")[:100],
            return_to=_checked_next(request, return_to),
            by_cookie=self.by_cookie,
        )


class OAuthAnswer(Entrance):
    """`/api/auth/oauth/{provider}/…`: what comes back."""

    @operation(
        "finishOAuth", "auth", "Come back from an OAuth provider", answers={200: SIGNED_IN},
        parameters=[PROVIDER, STATE, CODE, ERROR, ISSUER],
        errors=[Code.NOT_FOUND, Code.VALIDATION_ERROR, Code.FORBIDDEN], others=ELSEWHERE,
    )  # fmt: skip
    def callback(self, request: Request, provider: str) -> HttpResponseBase:
        """The provider sends the browser here. Where a `next` was given, 302 to it: with cookies where they were
        wanted, else with `#code=…` for `…/token`, or `#error=…`."""
        known = services.provider_of(provider)
        browser = request.COOKIES.get(BROWSER, "")[:100]
        state = request.query_params.get("state", "")
        attempt = services.take_attempt(provider=known, state=state, browser=browser)
        self.by_cookie = attempt.by_cookie
        try:
            response = self._come_in(request, known, attempt)
        except SeanceError as refused:
            if not attempt.next:
                raise
            response = HttpResponseRedirect(f"{attempt.next}#{urlencode({'error': refused.code})}")
        response.delete_cookie(BROWSER, path=BROWSER_PATH, samesite="Lax")
        return response

    def _come_in(self, request: Request, provider: Provider, attempt: OAuthAttempt) -> HttpResponseBase | Any:
        error = request.query_params.get("error", "")
        if error:
            said = error if re.fullmatch(r"[a-z_]{1,40}", error) else "an error"
            raise SeanceError(Code.FORBIDDEN, f"The provider says: {said}.")
        check_issuer(provider, request.query_params.get("iss"))
        code = request.query_params.get("code", "")
        if not 0 < len(code) <= CODE_MAX:
            raise invalid(code="This field is required.")
        user = services.finish(
            provider=provider, attempt=attempt, redirect_uri=_redirect_uri(request, provider), code=code
        )
        if not attempt.next:
            return self.signed_in(user)
        if not attempt.by_cookie:
            return HttpResponseRedirect(f"{attempt.next}#{urlencode({'code': services.hand_over_code(user)})}")
        response: Any = HttpResponseRedirect(attempt.next)
        cookies.csrf_token(request)
        return cookies.put(response, issue_tokens(user))

    @operation(
        "exchangeOAuthCode", "auth", "Get the tokens after an OAuth provider", answers={200: SIGNED_IN},
        body=OAuthCode, parameters=[PROVIDER, TRANSPORT], errors=[Code.NOT_FOUND, Code.FORBIDDEN],
    )  # fmt: skip
    def token(self, request: Request, provider: str) -> HttpResponse:
        """With the `code` that stood in the address; it is good for a minute, and once."""
        services.provider_of(provider)
        return self.signed_in(services.take_code(read(OAuthCode, request.data).code))


def _redirect_uri(request: Request, provider: Provider) -> str:
    return request.build_absolute_uri(f"/api/auth/oauth/{provider.name}/callback")


def _checked_next(request: Request, given: str) -> str:
    """Where to come back to; raises `VALIDATION_ERROR` for a page that nobody has allowed."""
    if not given:
        return ""
    refused = invalid(next="Must be a page of an allowed origin, or a path that begins with a slash.")
    if len(given) > 2000 or not given.isascii() or not given.isprintable() or " " in given or "\\" in given:
        raise refused
    try:
        parts = urlsplit(given)
    except ValueError:
        raise refused from None
    if not parts.scheme and not parts.netloc and given.startswith("/") and not given.startswith("//"):
        return given.partition("#")[0]
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
        raise refused
    if not origins.is_named(f"{parts.scheme}://{parts.netloc}", request._request.get_host()):
        raise refused
    return given.partition("#")[0]


def _put_browser(response: Any, browser: str) -> Any:
    response.set_cookie(
        BROWSER, browser, max_age=BROWSER_SECONDS, path=BROWSER_PATH, samesite="Lax", httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
    )  # fmt: skip
    return response
