"""sessions_app/api, the REST door: the envelope around every answer, and its one encoder."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec
from django.http import HttpResponse

from sessions_app import events
from sessions_app.api.shapes import AnswerMeta, ErrorBody, Failure, PageMeta, Success
from sessions_app.errors import Code, SeanceError

JSON = "application/json"
encode = msgspec.json.Encoder().encode


def answer(
    data: Any, *, status: int = 200, meta: AnswerMeta | None = None, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """A success; `meta` where there is more to say than the time."""
    body = Success(data=data, meta=meta or AnswerMeta(timestamp=events.now()))
    return HttpResponse(encode(body), JSON, status, headers=headers)


def whole(data: list[Any]) -> HttpResponse:
    """A list that is told whole: as its only page."""
    meta = PageMeta(timestamp=events.now(), page=1, per_page=max(1, len(data)), total=len(data))
    return answer(data, meta=meta)


def failure(error: SeanceError) -> Failure:
    """An error as it is told."""
    details = error.details
    if error.retry_after_ms is not None:
        details = {**details, "retry_after_ms": error.retry_after_ms}
    body = ErrorBody(error.code, error.message, details)
    return Failure(error=body, meta=AnswerMeta(timestamp=events.now()))


def failure_headers(error: SeanceError) -> dict[str, str]:
    """The headers that an error's status asks for."""
    headers = {"Cache-Control": "no-store"}
    if error.code == Code.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_ms is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_ms / 1000)))
    return headers


def refusal(error: SeanceError) -> HttpResponse:
    """An error as an answer."""
    return HttpResponse(encode(failure(error)), JSON, error.status, headers=failure_headers(error))
