"""sessions_app, the one door out: what happened is told after COMMIT, encoded once, to whoever sits in the session.

A server process hands a `sink` in, which serves its own sockets at once and Redis next; any other process (a command)
sends over the channel layer. Losing a notice is never a loss: durable ones have a `seq`, and every hub asks the
database for the numbers it has not seen.
"""

from collections.abc import Callable, Sequence
from functools import partial
from uuid import UUID

import msgspec
import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

from sessions_app import events, outbox

log = structlog.get_logger(__name__)

MESSAGE_TYPE = "seance.notices"
REWRITTEN = "log_rewritten"  # told to nobody: what a process remembers of the session's log is no longer what is stored


class Notice(msgspec.Struct, frozen=True, array_like=True):
    """Something to tell a session: an encoded frame, or the wish that a user's sockets be closed.

    `seq` is 0 where the event is not durable. `presence` is the version of the session's presence that a join or a
    leave made, 0 for anything else: a socket whose `welcome` had that version already is not told again. Where
    `close` is set there is no event: the socket of that id, or the sockets of the user of that id, are closed with
    `close_code`.
    """

    session: str
    event: str
    text: str
    seq: int = 0
    presence: int = 0
    close: str = ""
    close_code: int = 0


Sink = Callable[[Sequence[Notice]], None]
_sink: Sink | None = None
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[str, list[Notice]])


def group_name(session_id: UUID | str) -> str:
    """The channel layer's group of a session; every process that holds a socket of it is a member."""
    return f"session.{session_id}"


def connect(sink: Sink | None) -> None:
    """Let a server process take the notices over; None gives them back to the channel layer."""
    global _sink  # noqa: PLW0603  one process, one hub
    _sink = sink


def notice(session_id: UUID | str, event: str, data: msgspec.Struct, *, seq: int = 0, presence: int = 0) -> Notice:
    """A notice of one event, encoded."""
    return Notice(str(session_id), event, events.frame(event, data, seq=seq), seq, presence)


def publish(notices: Sequence[Notice], *, is_kept: bool = False) -> None:
    """Tell it once the surrounding transaction has committed; at once where there is none.

    What webhooks tell is written into their outbox now, in that transaction, unless the caller has done so.
    """
    if notices:
        if not is_kept:
            outbox.keep((item.event, item.session, item.seq, item.text) for item in notices)
        transaction.on_commit(partial(_emit, tuple(notices)), robust=True)


def _emit(notices: Sequence[Notice]) -> None:
    if _sink is not None:
        _sink(notices)
        return
    try:
        async_to_sync(send)("", notices)
    except Exception as error:  # noqa: BLE001  the stored truth stands, whatever the messenger met
        log.warning("publish_failed", error=type(error).__name__, notices=len(notices))


async def send(origin: str, notices: Sequence[Notice]) -> None:
    """Send notices over the channel layer, one layer message a session; `origin` is the sending process's id."""
    layer = get_channel_layer()
    if layer is None:
        return
    sessions: dict[str, list[Notice]] = {}
    for item in notices:
        sessions.setdefault(item.session, []).append(item)
    messages = {
        group_name(session): {"type": MESSAGE_TYPE, "body": _encoder.encode((origin, items))}
        for session, items in sessions.items()
    }
    if hasattr(layer, "group_send_many"):
        await layer.group_send_many(messages)
    else:
        for group, message in messages.items():
            await layer.group_send(group, message)


def decode(body: bytes) -> tuple[str, list[Notice]]:
    """What `send` put into a layer message: the sending process's id, and the notices."""
    return _decoder.decode(body)
