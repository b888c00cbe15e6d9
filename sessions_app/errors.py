"""sessions_app, the kitchen: the one error that every rule raises, and the table of its codes.

Both doors translate it: REST into a status and the error envelope, the WebSocket into an `error` event and, where a
socket is refused, a close code. Source: docs/protocol.md, sections 1.1 and 2.4.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Self


class Row(NamedTuple):
    """What a code means: its HTTP status, its default sentence, and whether trying the same again can help."""

    status: int
    message: str
    retryable: bool = False


class Code(StrEnum):
    """Every error code that a client can meet."""

    VALIDATION_ERROR = "VALIDATION_ERROR"
    UNAUTHORIZED = "UNAUTHORIZED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    SESSION_NOT_FOUND = "SESSION_NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    SESSION_ENDED = "SESSION_ENDED"
    SESSION_FULL = "SESSION_FULL"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    RATE_LIMITED = "RATE_LIMITED"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    UNAVAILABLE = "UNAVAILABLE"
    INVALID_FORMAT = "INVALID_FORMAT"
    UNKNOWN_EVENT = "UNKNOWN_EVENT"
    NOT_JOINED = "NOT_JOINED"
    EMPTY_MESSAGE = "EMPTY_MESSAGE"
    MESSAGE_TOO_LONG = "MESSAGE_TOO_LONG"
    SPIRIT_ERROR = "SPIRIT_ERROR"
    QUEUE_FULL = "QUEUE_FULL"
    QUEUE_EXPIRED = "QUEUE_EXPIRED"
    NOT_YOUR_TURN = "NOT_YOUR_TURN"
    SAFETY_NOTICE = "SAFETY_NOTICE"


CODES: Mapping[Code, Row] = {
    Code.VALIDATION_ERROR: Row(400, "The request has invalid fields."),
    Code.UNAUTHORIZED: Row(401, "A valid access token is needed."),
    Code.FORBIDDEN: Row(403, "You may not do this."),
    Code.NOT_FOUND: Row(404, "There is nothing here."),
    Code.SESSION_NOT_FOUND: Row(404, "There is no such session."),
    Code.METHOD_NOT_ALLOWED: Row(405, "This method is not allowed here."),
    Code.NOT_ACCEPTABLE: Row(406, "Only application/json can be answered."),
    Code.UNSUPPORTED_MEDIA_TYPE: Row(415, "The body must be application/json."),
    Code.SESSION_ENDED: Row(409, "The session has ended."),
    Code.SESSION_FULL: Row(409, "Every seat of the session is taken.", retryable=True),
    Code.IDEMPOTENCY_CONFLICT: Row(409, "This client_msg_id was used for another text."),
    Code.RATE_LIMITED: Row(429, "Too many requests; wait a little.", retryable=True),
    Code.INTERNAL_ERROR: Row(500, "Something went wrong here.", retryable=True),
    Code.UNAVAILABLE: Row(503, "The service cannot do this right now.", retryable=True),
    Code.INVALID_FORMAT: Row(400, "A frame must be one JSON object."),
    Code.UNKNOWN_EVENT: Row(400, "There is no such event."),
    Code.NOT_JOINED: Row(400, "Join the session first."),
    Code.EMPTY_MESSAGE: Row(400, "A message needs a text."),
    Code.MESSAGE_TOO_LONG: Row(400, "A message has at most 500 characters."),
    Code.SPIRIT_ERROR: Row(500, "The spirit could not answer.", retryable=True),
    Code.QUEUE_FULL: Row(409, "Too many questions are waiting.", retryable=True),
    Code.QUEUE_EXPIRED: Row(409, "The question has waited too long.", retryable=True),
    Code.NOT_YOUR_TURN: Row(409, "It is somebody else's turn.", retryable=True),
    Code.SAFETY_NOTICE: Row(422, "This was not passed to the table."),
}


class SeanceError(Exception):
    """A rule said no. Nothing was stored.

    `details` maps a field to its list of messages where the code is `VALIDATION_ERROR`; `retry_after_ms` is in
    milliseconds and comes with `RATE_LIMITED` and `UNAVAILABLE`; `close_code` overrides the close code that a refused
    socket gets (docs/protocol.md, section 2.5).
    """

    def __init__(
        self,
        code: Code,
        message: str = "",
        *,
        details: Mapping[str, Any] | None = None,
        retry_after_ms: int | None = None,
        close_code: int | None = None,
    ) -> None:
        self.code = code
        self.message = message or CODES[code].message
        self.details = dict(details or {})
        self.retry_after_ms = retry_after_ms
        self.close_code = close_code
        super().__init__(f"{code}: {self.message}")

    @property
    def status(self) -> int:
        """The HTTP status."""
        return CODES[self.code].status

    @property
    def retryable(self) -> bool:
        """Whether the same request can succeed later."""
        return CODES[self.code].retryable

    def kept(self) -> Self:
        """The same, as a result to keep. Where it was raised is forgotten: the frames there know who keeps it, and such
        a circle, with all that they had read, would wait for a garbage collection."""
        self.__context__ = self.__cause__ = None
        return self.with_traceback(None)


class SeatLost(SeanceError):
    """`FORBIDDEN` to somebody who had a seat and has none any more, without having been sent away."""

    def __init__(self) -> None:
        super().__init__(Code.FORBIDDEN, "Take a seat in the session first.")


def invalid(**fields: str | Sequence[str]) -> SeanceError:
    """A `VALIDATION_ERROR` from field=message, or field=[messages]."""
    return SeanceError(
        Code.VALIDATION_ERROR,
        details={name: [said] if isinstance(said, str) else list(said) for name, said in fields.items()},
    )
