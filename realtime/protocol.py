"""realtime, sans-I/O: what a client's frame may be, and what it means. No socket, no loop, no database.

`decode` makes one pass: size, JSON, depth, event, shape. Whatever is wrong becomes a `SeanceError`, never another
exception, so that no frame can end a connection by accident.
"""

from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import msgspec
from django.conf import settings
from msgspec import UNSET, Meta, Struct, UnsetType

from sessions_app.errors import Code, SeanceError
from sessions_app.inputs import UpdateSession, read

REF_MAX = 64

Ref = Annotated[str, Meta(max_length=REF_MAX)]


class Resume(Struct, frozen=True):
    """Where a client's copy of the log ends."""

    epoch: Annotated[str, Meta(max_length=64)]
    after_seq: Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Join(Struct, frozen=True, kw_only=True):
    """`join_session`, and the bare first form `{"user_id", "name"}`."""

    name: Annotated[str, Meta(max_length=400)] | None = None
    user_id: Annotated[str, Meta(max_length=200)] | None = None
    token: Annotated[str, Meta(max_length=4096)] | None = None
    invite: Annotated[str, Meta(max_length=200)] | None = None
    role: Literal["host", "participant", "observer"] | None = None
    resume: Resume | None = None
    batch: bool = False


class Leave(Struct, frozen=True):
    """`leave_session`: give the seat back."""


class SendMessage(Struct, frozen=True, kw_only=True):
    """`send_message`; the text may come as `text` or as `message`."""

    text: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    client_msg_id: str | None = None
    off_record: bool = False


class Typing(Struct, frozen=True):
    """`typing`: this user types, or does no more."""

    is_typing: bool = True


class DeleteMessage(Struct, frozen=True):
    """`delete_message`: author and host."""

    message_id: UUID


class TurnCommand(Struct, frozen=True):
    """`cancel_question` and `ask_again`: asker and host."""

    turn_id: UUID


class KickUser(Struct, frozen=True):
    """`kick_user`: host."""

    user_id: UUID


class EndSession(Struct, frozen=True):
    """`end_session`: host."""


class RefreshToken(Struct, frozen=True):
    """`refresh_token`: a new access token of the same user, on the open socket."""

    token: Annotated[str, Meta(max_length=4096)]


class Heartbeat(Struct, frozen=True):
    """`heartbeat`: how far this client has come."""

    last_seq: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0


# Every event that a client may send, and the shape of its data.
CLIENT_EVENTS: dict[str, type[Struct]] = {
    "join_session": Join,
    "leave_session": Leave,
    "send_message": SendMessage,
    "typing": Typing,
    "delete_message": DeleteMessage,
    "cancel_question": TurnCommand,
    "ask_again": TurnCommand,
    "kick_user": KickUser,
    "end_session": EndSession,
    "update_session": UpdateSession,
    "refresh_token": RefreshToken,
    "heartbeat": Heartbeat,
}


class Command(NamedTuple):
    """A client's frame, understood. `is_bare` marks the first form, whose client knows no `welcome`."""

    event: str
    data: Struct
    ref: str | None = None
    is_bare: bool = False


class _Frame(Struct):
    event: str | UnsetType = UNSET
    data: msgspec.Raw = msgspec.Raw(b"{}")
    ref: msgspec.Raw | UnsetType = UNSET


_outer = msgspec.json.Decoder(_Frame)
_inner = {event: msgspec.json.Decoder(shape) for event, shape in CLIENT_EVENTS.items()}
_ref = msgspec.json.Decoder(Ref)
_any = msgspec.json.Decoder(dict[str, Any])


class BadFrame(SeanceError):
    """A frame that is no command; too many of them close the socket. `ref` and `event` are the client's, if they could
    be read."""

    ref: str | None = None
    event: str | None = None


def decode(text: str | bytes) -> Command:
    """The command in a text frame; raises `BadFrame` (INVALID_FORMAT, UNKNOWN_EVENT or VALIDATION_ERROR)."""
    raw = _utf8(text)
    if len(raw) > settings.SEANCE.frame_max_bytes:
        raise BadFrame(Code.INVALID_FORMAT, f"A frame has at most {settings.SEANCE.frame_max_bytes} bytes.")
    _check_depth(raw)
    try:
        frame = _outer.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        raise BadFrame(Code.INVALID_FORMAT) from None
    if frame.event is UNSET:
        return _bare(raw)
    ref, decoder = None, _inner.get(frame.event)
    try:
        ref = _read_ref(frame.ref)
        if decoder is None:
            raise BadFrame(Code.UNKNOWN_EVENT)
        return Command(frame.event, _data(frame.event, decoder, frame.data), ref)
    except BadFrame as bad:
        bad.ref, bad.event = ref, frame.event
        raise


def ref_of(text: str | bytes | None) -> str | None:
    """The `ref` of a frame that was refused before it was read, so that its sender knows which."""
    try:
        return None if text is None else decode(text).ref
    except BadFrame as bad:
        return bad.ref


def _utf8(text: str | bytes) -> bytes:
    try:
        return (text if isinstance(text, str) else text.decode()).encode()
    except UnicodeError:
        raise BadFrame(Code.INVALID_FORMAT, "A frame must be UTF-8.") from None


def _check_depth(raw: bytes) -> None:
    """Refuse nesting before anything recurses into it. Brackets in strings are not counted, escapes are respected."""
    limit = settings.SEANCE.json_max_depth
    if raw.count(b"{") + raw.count(b"[") <= limit:
        return
    depth, in_string, escaped = 0, False, False
    for byte in raw:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in b"{[":
            depth += 1
            if depth > limit:
                raise BadFrame(Code.INVALID_FORMAT, f"JSON may be nested {limit} deep.")
        elif byte in b"}]":
            depth -= 1


def _read_ref(raw: msgspec.Raw | UnsetType) -> str | None:
    if raw is UNSET or bytes(raw) == b"null":
        return None
    try:
        return _ref.decode(raw)
    except msgspec.DecodeError:
        raise BadFrame(Code.VALIDATION_ERROR, details={"ref": [f"A string of at most {REF_MAX} characters."]}) from None


def _data(event: str, decoder: msgspec.json.Decoder[Any], raw: msgspec.Raw) -> Struct:
    try:
        found: Struct = decoder.decode(raw)
        return found
    except msgspec.ValidationError:
        return _explain(CLIENT_EVENTS[event], raw)
    except (msgspec.DecodeError, RecursionError):
        raise BadFrame(Code.INVALID_FORMAT) from None


def _explain(shape: type[Struct], raw: bytes | msgspec.Raw) -> Struct:
    """The slow way, on which each wrong field is named."""
    try:
        return read(shape, _any.decode(raw))
    except SeanceError as refused:
        raise BadFrame(refused.code, details=refused.details) from None
    except (msgspec.DecodeError, RecursionError):
        raise BadFrame(Code.INVALID_FORMAT, "data must be a JSON object.") from None


def _bare(raw: bytes) -> Command:
    """The original first frame: an object without an event that has a `user_id` or a `name`."""
    try:
        found = _any.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        raise BadFrame(Code.INVALID_FORMAT) from None
    if not found.keys() & {"user_id", "name"}:
        raise BadFrame(Code.INVALID_FORMAT, "A frame needs an event.")
    if isinstance(found.get("user_id"), int) and not isinstance(found["user_id"], bool):
        found["user_id"] = str(found["user_id"])  # the first clients counted their users
    known = {key: found[key] for key in ("user_id", "name") if key in found}
    try:
        return Command("join_session", read(Join, known), is_bare=True)
    except SeanceError as refused:
        raise BadFrame(refused.code, details=refused.details) from None
