"""sessions_app/api, the REST door: the download of a transcript, read and sent in pieces, so that memory is bounded."""

from typing import Any, ClassVar
from uuid import UUID

import msgspec
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from sessions_app import events
from sessions_app.api.base import Door
from sessions_app.api.envelope import JSON
from sessions_app.api.examples import SAMPLES
from sessions_app.api.openapi import operation, parameter
from sessions_app.api.query import Query
from sessions_app.api.sessions import READING, UNKNOWN, invite_of, known
from sessions_app.api.shapes import Transcript
from sessions_app.downloads import download, file_name
from sessions_app.errors import Code
from sessions_app.services.sessions import get_session
from sessions_app.transcripts import FORMS, Form, pieces

FORMAT = parameter("format", {"type": "string", "enum": list(FORMS), "default": "txt"}, "The kind of file.")


def _example(form: Form) -> Any:
    """A short transcript in this form."""
    session, message = SAMPLES[events.SessionData], SAMPLES[events.MessageData]
    text = form.head(session) + form.line(message) + form.tail
    return msgspec.json.decode(text) if form.media_type == JSON else text


class Transcripts(Door):
    """`/api/sessions/{session_id}/transcript`. The file is the whole answer; only errors come in the envelope."""

    produces: ClassVar[tuple[str, ...]] = tuple(form.media_type for form in FORMS.values())

    @operation(
        "getTranscript", "sessions", "Download the transcript", answers={}, parameters=[*READING, FORMAT],
        errors=[*UNKNOWN, Code.VALIDATION_ERROR],
        others={
            (200, form.media_type): (Transcript if kind == "json" else str, _example(form))
            for kind, form in FORMS.items()
        },
    )  # fmt: skip
    def retrieve(self, request: Request, session_id: UUID | None) -> HttpResponseBase:
        """All messages up to now, those off the record and the deleted ones left out."""
        query = Query(request.query_params)
        kind = query.choice("format", list(FORMS), "txt")
        query.check()
        session = get_session(known(session_id), self.actor, invite_of(request))
        form = FORMS[kind]
        name = file_name(session.name, session.id, kind)
        return download(request._request, pieces(session, form), name=name, media_type=form.media_type)
