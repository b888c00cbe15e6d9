"""sessions_app/api, the REST door: whatever is raised, as one of the protocol's errors."""

import json
from typing import Any

import structlog
from django.core.exceptions import DisallowedHost, PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpResponse, UnreadablePostError
from rest_framework import exceptions

from sessions_app.api.envelope import refusal
from sessions_app.errors import Code, SeanceError, invalid
from sessions_app.outage import OUTAGE

log = structlog.get_logger("seance.api")

# What the WebSocket names by codes of its own is, at this door, a field that is wrong.
_AS_FIELD = {Code.EMPTY_MESSAGE: "text", Code.MESSAGE_TOO_LONG: "text", Code.INVALID_FORMAT: "non_field_errors"}
_PLAIN: dict[type[Exception], Code] = {
    Http404: Code.NOT_FOUND,
    PermissionDenied: Code.FORBIDDEN,
    exceptions.NotFound: Code.NOT_FOUND,
    exceptions.PermissionDenied: Code.FORBIDDEN,
    exceptions.NotAuthenticated: Code.UNAUTHORIZED,
    exceptions.AuthenticationFailed: Code.UNAUTHORIZED,
    exceptions.MethodNotAllowed: Code.METHOD_NOT_ALLOWED,
    exceptions.NotAcceptable: Code.NOT_ACCEPTABLE,
    exceptions.UnsupportedMediaType: Code.UNSUPPORTED_MEDIA_TYPE,
}
RETRY_MS = 1000


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """DRF's hook: the answer to whatever a view, the authentication or a parser raised."""
    return refusal(translate(error))


def translate(error: BaseException) -> SeanceError:
    """Any exception as a `SeanceError`; what nobody foresaw is logged with its traceback, and told without it."""
    if isinstance(error, SeanceError):
        field = _AS_FIELD.get(error.code)
        return error if field is None else invalid(**{field: error.message})
    for kind, code in _PLAIN.items():
        if isinstance(error, kind):
            return SeanceError(code)
    if isinstance(error, exceptions.Throttled):
        wait: float | None = getattr(error, "wait", None)
        return SeanceError(Code.RATE_LIMITED, retry_after_ms=RETRY_MS if wait is None else round(wait * 1000))
    if isinstance(error, exceptions.ValidationError):
        return SeanceError(Code.VALIDATION_ERROR, details=_by_field(error.detail))
    if isinstance(error, exceptions.ParseError):
        return invalid(non_field_errors=str(error.detail))
    if isinstance(error, DisallowedHost):
        return invalid(host="This server does not go by that name. Those it goes by are in ALLOWED_HOSTS.")
    if isinstance(error, SuspiciousOperation | UnreadablePostError):
        return invalid(non_field_errors="The request cannot be read.")
    if isinstance(error, OUTAGE):
        log.warning("database_unavailable", error=type(error).__name__, reason=str(error))
        return SeanceError(Code.UNAVAILABLE, retry_after_ms=RETRY_MS)
    log.error("request_crashed", exc_info=error)
    return SeanceError(Code.INTERNAL_ERROR)


def _by_field(detail: Any) -> dict[str, list[str]]:
    """DRF's details, which may be nested, as field → list of messages."""
    if not isinstance(detail, dict):
        return {"non_field_errors": [str(said) for said in (detail if isinstance(detail, list) else [detail])]}
    return {
        str(field): [said if isinstance(said, str) else json.dumps(said) for said in found]
        if isinstance(found, list)
        else [json.dumps(found)]
        for field, found in detail.items()
    }
