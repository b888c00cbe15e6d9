"""sessions_app/api, the REST door: messages are posted and taken away, the same acts as over the WebSocket."""

from uuid import UUID

from django.http import HttpResponse
from msgspec import UNSET
from rest_framework.request import Request

from sessions_app import events, limits
from sessions_app.api.base import Door
from sessions_app.api.envelope import answer
from sessions_app.api.openapi import enveloped, identifier, operation, parameter
from sessions_app.api.sessions import SESSION_ID, UNKNOWN, known, named
from sessions_app.api.shapes import Message, PostedMeta
from sessions_app.errors import Code, invalid
from sessions_app.inputs import PostMessage, read
from sessions_app.selectors.sessions import sits
from sessions_app.services import messages as services
from sessions_app.text import CLIENT_MSG_ID_MAX

POSTED = enveloped("PostedAnswer", events.MessageData, PostedMeta)
ONE = enveloped("MessageAnswer", Message)
MESSAGE_ID = identifier("message_id", "The message's id.")
IDEMPOTENCY_KEY = parameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": CLIENT_MSG_ID_MAX},
    "The same as `client_msg_id`; where both are given, they must be equal.",
    place="header",
)


class Messages(Door):
    """`/api/sessions/{session_id}/messages` and one of them."""

    @operation(
        "postMessage", "messages", "Post a message", answers={200: POSTED, 201: POSTED}, body=PostMessage,
        parameters=[SESSION_ID, IDEMPOTENCY_KEY], caller="known",
        errors=[
            *UNKNOWN, Code.SESSION_ENDED, Code.IDEMPOTENCY_CONFLICT, Code.NOT_YOUR_TURN, Code.SAFETY_NOTICE,
        ],
    )  # fmt: skip
    def create(self, request: Request, session_id: UUID | None) -> HttpResponse:
        """Whoever has a seat and a voice, and the host. 200 where this `client_msg_id` brought the same text before."""
        room = known(session_id)
        values = read(PostMessage, request.data)
        key = _one_key(values.client_msg_id, request.META.get("HTTP_IDEMPOTENCY_KEY"))
        author = self.actor.id if self.actor else None
        if author is not None and sits(room, author):
            limits.hit("session-messages", str(room))
        draft = services.Draft(room, author, values.text, key, values.off_record)
        posted = services.post_message(draft)
        unanswered = UNSET if posted.unanswered is None else str(posted.unanswered.code)
        meta = PostedMeta(timestamp=events.now(), duplicate=posted.duplicate, unanswered=unanswered)
        if posted.duplicate:
            return answer(posted.message, meta=meta)
        place = f"/api/sessions/{room}/messages/{posted.message.id}"
        return answer(posted.message, status=201, meta=meta, headers={"Location": place})

    @operation(
        "deleteMessage", "messages", "Take a message away", answers={200: ONE}, parameters=[SESSION_ID, MESSAGE_ID],
        errors=[*UNKNOWN, Code.NOT_FOUND], caller="known",
    )  # fmt: skip
    def destroy(self, request: Request, session_id: UUID | None, message_id: UUID | None) -> HttpResponse:
        """Author, host and staff; everybody in the room gets `message_deleted`. Twice is the same as once."""
        found = services.delete_message(actor=self.actor, session_id=known(session_id), message_id=named(message_id))
        return answer(found)


def _one_key(in_body: str | None, in_header: str | None) -> str | None:
    """The client's own id of the message, from wherever it was given; raises `VALIDATION_ERROR` where two differ."""
    if in_body is not None and in_header is not None and in_body != in_header:
        raise invalid(client_msg_id="It differs from the Idempotency-Key header.")
    return in_header if in_body is None else in_body
