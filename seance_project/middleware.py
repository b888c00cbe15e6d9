"""seance_project: each HTTP request gets an id and one log line, each answer its policies, the admin its session."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Awaitable, Callable

import structlog
from corsheaders.middleware import CorsMiddleware
from csp.constants import HEADER
from csp.middleware import CheckableLazyObject, CSPMiddleware
from csp.utils import build_policy
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.functional import SimpleLazyObject

log = structlog.get_logger("seance.http")

WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")
GetResponse = Callable[[HttpRequest], HttpResponseBase]
Answer = HttpResponseBase | Awaitable[HttpResponseBase]


def request_id_of(given: str | None) -> str:
    """A client's own id where it is well-formed, or a new one."""
    return given if given and WELL_FORMED.fullmatch(given) else uuid.uuid4().hex


def known_user_id(request: HttpRequest) -> str | None:
    """The user that authentication already found; a log line is not worth a query."""
    user = request.__dict__.get("user")
    if isinstance(user, SimpleLazyObject):  # Django's own looks the user up when it is touched, and keeps it here
        user = request.__dict__.get("_cached_user")
    key = getattr(user, "pk", None)
    return str(key) if key else None


class RequestMiddleware:
    """A line in the log for each request, whose id goes out as `X-Request-ID`.

    `http.py` puts the id into each line of the request, this one too. The query string is not logged: people put tokens
    there.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began, request_id = time.perf_counter(), request_id_of(request.META.get("HTTP_X_REQUEST_ID"))
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        user_id = known_user_id(request)
        who = {"user_id": user_id} if user_id else {}
        log.log(
            40 if response.status_code >= 500 else 20,
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            duration_ms=round((time.perf_counter() - began) * 1000, 1),
            **who,
        )
        return response


class PolicyMiddleware(CSPMiddleware):
    """django-csp builds the same policy for every answer anew, and another one that is only reported; here what no view
    has changed is built once: of a `POST` of a session that was the twentieth part."""

    def __init__(self, get_response: GetResponse) -> None:
        super().__init__(get_response)
        self.policy = build_policy()

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Set the header, unless a view has."""
        is_own = hasattr(request, "_csp_nonce") or any(name.startswith("_csp") for name in vars(response))
        if is_own or settings.DEBUG:
            return super().process_response(request, response)
        response.headers.setdefault(HEADER, self.policy)
        # Who asks for a nonce now would have one that the header does not know: they are told.
        request.csp_nonce = CheckableLazyObject(self._csp_nonce_post_response)  # type: ignore[attr-defined]
        return response


class OriginMiddleware(CorsMiddleware):
    """django-cors-headers reads all headers of a request before it knows that it is of no page: the thirtieth part of
    what reading a session costs."""

    def add_response_headers(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """What the request's `Origin` may do with the answer."""
        if "HTTP_ORIGIN" in request.META:
            return super().add_response_headers(request, response)
        patch_vary_headers(response, ("origin",))
        return response


class _OfAdmin:
    """Only the admin's pages have a Django session: for anything else, what belongs to that is a tenth of a request."""

    get_response: Callable[[HttpRequest], Answer]

    def __call__(self, request: HttpRequest) -> Answer:
        if request.path_info.startswith("/admin/"):
            return super().__call__(request)  # type: ignore[misc, no-any-return]
        return self.get_response(request)


class AdminSessionMiddleware(_OfAdmin, SessionMiddleware):
    """Django's, for the admin."""


class AdminAuthenticationMiddleware(_OfAdmin, AuthenticationMiddleware):
    """Django's, for the admin."""


class AdminMessageMiddleware(_OfAdmin, MessageMiddleware):
    """Django's, for the admin."""
