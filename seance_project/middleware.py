"""seance_project: each HTTP request gets an id and one log line, each answer its content security policy."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import cast

import structlog
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from csp.constants import HEADER
from csp.middleware import CheckableLazyObject, CSPMiddleware
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject

log = structlog.get_logger("seance.http")

WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")
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
    """Sync or async as its neighbours are, so that it never costs a thread hop.

    While the request runs, its id is in the context of every log line and in `request.request_id`; it goes out as
    `X-Request-ID`. The query string is not logged: people put tokens there.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Answer]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Answer:
        if self.is_async:
            return self._async(request)
        begun, request_id = self._begin(request)
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = cast(HttpResponseBase, self.get_response(request))
            return self._end(request, response, begun, request_id)

    async def _async(self, request: HttpRequest) -> HttpResponseBase:
        begun, request_id = self._begin(request)
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = await cast(Awaitable[HttpResponseBase], self.get_response(request))
            return self._end(request, response, begun, request_id)

    @staticmethod
    def _begin(request: HttpRequest) -> tuple[float, str]:
        request_id = request_id_of(request.META.get("HTTP_X_REQUEST_ID"))
        request.request_id = request_id  # type: ignore[attr-defined]
        return time.perf_counter(), request_id

    @staticmethod
    def _end(request: HttpRequest, response: HttpResponseBase, begun: float, request_id: str) -> HttpResponseBase:
        response["X-Request-ID"] = request_id
        user_id = known_user_id(request)
        who = {"user_id": user_id} if user_id else {}
        log.log(
            40 if response.status_code >= 500 else 20,
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            duration_ms=round((time.perf_counter() - begun) * 1000, 1),
            **who,
        )
        return response


class PolicyMiddleware(CSPMiddleware):
    """django-csp builds the same policy for every answer anew, and another one that is only reported; here what no view
    has changed is built once: of a `POST` of a session that was the twentieth part."""

    def __init__(self, get_response: Callable[[HttpRequest], Answer]) -> None:
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
