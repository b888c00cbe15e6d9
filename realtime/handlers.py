"""realtime, the WebSocket door's table of contents: what each event of a client does. Every rule is a service's."""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from realtime import measures, metrics, protocol
from realtime.room import Typist
from sessions_app import events
from sessions_app.errors import Code, SeanceError, invalid
from sessions_app.models import User
from sessions_app.publish import Notice
from sessions_app.security import verify_token
from sessions_app.selectors.people import bearer
from sessions_app.selectors.sessions import check_voice
from sessions_app.services.messages import Draft, Posted, delete_message
from sessions_app.services.moderation import kick_user
from sessions_app.services.sessions import end_session, update_session
from sessions_app.services.turns import ask_again, cancel_question

if TYPE_CHECKING:
    from realtime.consumers import SeanceConsumer

VOICE_SECONDS = 5.0  # how long the right to speak is taken for granted before the database is asked, for typing only
IN_FLIGHT = 16  # messages of one socket that may wait for their commit at the same time


async def join_session(visit: "SeanceConsumer", command: protocol.Command) -> None:
    """Whoever is in cannot join again."""
    raise SeanceError(Code.FORBIDDEN, "This socket has joined already.")


async def leave_session(visit: "SeanceConsumer", command: protocol.Command) -> None:
    """Give the seat back and go."""
    visit.socket.close(1000)


async def send_message(visit: "SeanceConsumer", command: protocol.Command) -> None:
    """Hand the text to the writer; the ack follows the commit."""
    data: Any = command.data
    text = data.text if data.text is not msgspec.UNSET else data.message
    if text is msgspec.UNSET:
        raise invalid(text="This field is required.")
    await visit.limit_messages()
    draft = Draft(visit.session_id, visit.user_id, text, data.client_msg_id, data.off_record)
    done = partial(_posted, visit, command.ref, data.client_msg_id, time.perf_counter())
    visit.in_flight += 1
    if visit.in_flight < IN_FLIGHT:
        visit.process.posts.put(draft, done)
    else:
        try:
            done(await visit.process.posts.submit(draft))
        except SeanceError as refused:
            done(refused)
    stop_typing(visit)


def _posted(
    visit: "SeanceConsumer", ref: str | None, client_msg_id: str | None, began: float, result: Posted | SeanceError
) -> None:
    visit.in_flight -= 1
    if isinstance(result, SeanceError):
        if result.code == Code.SAFETY_NOTICE:
            metrics.SAFETY_NOTICES.inc()
            told = events.SafetyNotice(result.details["kind"], result.message, result.details["links"])
            visit.tell("safety_notice", told, ref)
        else:
            visit.refuse(result, ref)
    elif ref is not None or client_msg_id is not None:
        visit.tell("ack", result.ack(), ref)
        took = time.perf_counter() - began
        metrics.ACK_SECONDS.observe(took)
        measures.acked(visit.session_id, took)
        if result.unanswered is not None:
            visit.refuse(result.unanswered, ref)


async def typing(visit: "SeanceConsumer", command: protocol.Command) -> None:
    """Tell the others that this user types, or does no more. Whoever may not speak does not type either."""
    data: Any = command.data
    if data.is_typing and time.monotonic() >= visit.voice_until:
        await visit.process.bridge.call(check_voice, visit.session_id, visit.user_id)
        visit.voice_until = time.monotonic() + VOICE_SECONDS
    visit.is_typing = data.is_typing
    _tell_typing(visit)


def stop_typing(visit: "SeanceConsumer") -> None:
    """Whoever sent the message, or left, types no more."""
    if visit.is_typing:
        visit.is_typing = False
        _tell_typing(visit)


def _tell_typing(visit: "SeanceConsumer") -> None:
    who = msgspec.json.encode(Typist(visit.user_id, visit.socket.name, visit.is_typing)).decode()
    visit.process.hub.publish([Notice(str(visit.session_id), "typing", who)])


async def heartbeat(visit: "SeanceConsumer", command: protocol.Command) -> None:
    """Say where the log is; a room that is behind its own client is repaired."""
    data: Any = command.data
    seq = await visit.process.hub.heal(visit.session_id, data.last_seq)
    visit.tell("heartbeat", events.Heartbeat(seq, events.now()), command.ref)


async def refresh_token(visit: "SeanceConsumer", command: protocol.Command) -> None:
    """A new token of the same user takes the old one's place."""
    data: Any = command.data
    claims = verify_token(data.token)
    if claims.user_id != visit.user_id:
        raise SeanceError(Code.FORBIDDEN, "The token is another user's.")
    await visit.process.bridge.call(bearer, claims)
    expires_in_ms = visit.watch_token(claims.expires_at)
    visit.tell("token_refreshed", events.TokenExpiring(expires_in_ms), command.ref)


def _as_user(user_id: UUID, service: Callable[..., object], **values: object) -> None:
    """Run a service as the user of this socket, as the database knows that user now."""
    actor = User.objects.filter(pk=user_id, is_active=True).first()
    if actor is None:
        raise SeanceError(Code.UNAUTHORIZED)
    service(actor=actor, **values)


async def _act(visit: "SeanceConsumer", service: Callable[..., object], **values: object) -> None:
    await visit.process.bridge.call_locking(_as_user, visit.user_id, service, session_id=visit.session_id, **values)


async def delete(visit: "SeanceConsumer", command: protocol.Command) -> None:
    """Author, host or staff take a message away."""
    data: Any = command.data
    await _act(visit, delete_message, message_id=data.message_id)


async def cancel(visit: "SeanceConsumer", command: protocol.Command) -> None:
    """Asker, host or staff cancel a turn."""
    data: Any = command.data
    await _act(visit, cancel_question, turn_id=data.turn_id)


async def again(visit: "SeanceConsumer", command: protocol.Command) -> None:
    """Asker, host or staff ask the same once more."""
    data: Any = command.data
    await _act(visit, ask_again, turn_id=data.turn_id)


async def kick(visit: "SeanceConsumer", command: protocol.Command) -> None:
    """The host sends somebody away."""
    data: Any = command.data
    await _act(visit, kick_user, whom=data.user_id)


async def end(visit: "SeanceConsumer", command: protocol.Command) -> None:
    """The host ends the session."""
    await _act(visit, end_session)


async def update(visit: "SeanceConsumer", command: protocol.Command) -> None:
    """The host changes the session."""
    await _act(visit, update_session, values=command.data)


Handler = Callable[["SeanceConsumer", protocol.Command], Awaitable[None]]
HANDLERS: dict[str, Handler] = {
    "join_session": join_session,
    "leave_session": leave_session,
    "send_message": send_message,
    "typing": typing,
    "heartbeat": heartbeat,
    "refresh_token": refresh_token,
    "delete_message": delete,
    "cancel_question": cancel,
    "ask_again": again,
    "kick_user": kick,
    "end_session": end,
    "update_session": update,
}
