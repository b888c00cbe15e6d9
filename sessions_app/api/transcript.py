"""sessions_app/api, the REST door: the download of a transcript, read and sent in pieces, so that memory is bounded."""

from collections.abc import AsyncIterator, Iterator
from typing import ClassVar
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from sessions_app import events
from sessions_app.api.base import Door
from sessions_app.api.openapi import operation, parameter
from sessions_app.api.query import Query
from sessions_app.api.sessions import READING, UNKNOWN, invite_of, known
from sessions_app.api.shapes import Transcript
from sessions_app.api.transcripts import FORMS, Form, file_name
from sessions_app.errors import Code
from sessions_app.selectors.history import messages
from sessions_app.services.sessions import get_session

CHUNK = 200
FORMAT = parameter("format", {"type": "string", "enum": list(FORMS), "default": "txt"}, "The kind of file.")


class Transcripts(Door):
    """`/api/sessions/{session_id}/transcript`. The file is the whole answer; only errors come in the envelope."""

    produces: ClassVar[tuple[str, ...]] = tuple(form.media_type for form in FORMS.values())

    @operation(
        "getTranscript", "sessions", "Download the transcript", answers={}, parameters=[*READING, FORMAT],
        errors=[*UNKNOWN, Code.VALIDATION_ERROR],
        others={
            (200, "application/json"): Transcript, (200, "text/plain"): str, (200, "text/markdown"): str,
            (200, "text/html"): str,
        },
    )  # fmt: skip
    def retrieve(self, request: Request, session_id: UUID | None) -> HttpResponseBase:
        """All messages up to now, those off the record and the deleted ones left out."""
        query = Query(request.query_params)
        kind = query.choice("format", list(FORMS), "txt")
        query.check()
        session = get_session(known(session_id), self.actor, invite_of(request))
        form = FORMS[kind]
        is_text = form.media_type.startswith("text/")
        headers = {
            "Content-Disposition": f'attachment; filename="{file_name(session, kind)}"',
            "Content-Type": f"{form.media_type}; charset=utf-8" if is_text else form.media_type,
            "Cache-Control": "no-store",
        }
        # Django would collect a synchronous iterator into a list before an asynchronous server sends any of it.
        asynchronous = hasattr(request._request, "scope")
        if request.method == "HEAD":
            return StreamingHttpResponse(_behind("", iter(())) if asynchronous else iter(()), headers=headers)
        pieces = _pieces(session, form)
        first = next(pieces)  # a database that is away is still an error here, and no longer once the file has begun
        return StreamingHttpResponse(_behind(first, pieces) if asynchronous else _after(first, pieces), headers=headers)


def _pieces(session: events.SessionData, form: Form) -> Iterator[str]:
    """The file, a chunk of messages at a time; what is said after the download began is left out."""
    text, cursor, is_first, more = form.head(session), 0, True, True
    while more:
        found, more = messages(session.id, limit=CHUNK, after_seq=cursor, before_seq=session.last_seq + 1)
        for message in found:
            cursor = message.seq
            if not message.off_record:
                text += form.line(message) if is_first else form.separator + form.line(message)
                is_first = False
        yield text
        text = ""
    yield form.tail


def _after(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


async def _behind(first: str, rest: Iterator[str]) -> AsyncIterator[str]:
    yield first

    def following() -> str | None:
        return next(rest, None)

    while (piece := await sync_to_async(following)()) is not None:
        yield piece
