"""realtime, the life of one connection: handshake, join, frames, end. It knows no noun; `handlers` does."""

import asyncio
import time
from functools import partial
from typing import Any, cast
from uuid import UUID

import msgspec
import structlog
from channels.consumer import AsyncConsumer
from django.conf import settings
from uuid_utils.compat import uuid7

from realtime import handlers, measures, metrics, process, protocol
from realtime.batching import Batches
from realtime.middleware import SUBPROTOCOL, Arrival, arrive
from realtime.outlet import CLOSE, EXTENSION, Outlet, QueueOutlet, Receive, Send, framed
from realtime.protocol import BadFrame, Command
from realtime.room import Room, Socket
from sessions_app import events, spans
from sessions_app.errors import Code, SeanceError, SeatLost
from sessions_app.limits import Pace
from sessions_app.security import Claims, verify_token
from sessions_app.services.presence import Release
from sessions_app.services.seats import Joined, JoinRequest
from sessions_app.text import TEXT_MAX

log = structlog.get_logger(__name__)

NORMAL, GOING_AWAY = 1000, 1001
SERVER_ERROR, TOKEN_EXPIRED, UNAUTHORIZED, PROTOCOL_ERROR, NO_JOIN = 4000, 4001, 4500, 4502, 4510
KICKED, SESSION_ENDED, DRAINING, UNSUPPORTED_VERSION = 4503, 4505, 4006, 4511
# What a refused join is closed with; whatever is not here leaves the socket open for another try. After the last two it
# may have been stored: a second one of the same socket could not be told from it.
REFUSALS = {
    Code.UNAUTHORIZED: UNAUTHORIZED,
    Code.FORBIDDEN: 4501,
    Code.SESSION_ENDED: SESSION_ENDED,
    Code.SESSION_NOT_FOUND: 4506,
    Code.SESSION_FULL: 4008,
    Code.RATE_LIMITED: 4005,
    Code.UNAVAILABLE: SERVER_ERROR,
    Code.INTERNAL_ERROR: SERVER_ERROR,
}
UNKNOWN = {Code.UNAVAILABLE, Code.INTERNAL_ERROR}
FOR_GOOD = {NORMAL, KICKED, SESSION_ENDED}  # ends after which no seat is kept
TOKEN_WARNING_SECONDS = 60.0
CLOSE_SECONDS = 5.0  # how long a close frame may take to a reader that does not read


class Closed(Exception):  # noqa: N818  an end, not an error
    """The connection is over, or shall be closed with `code`."""

    def __init__(self, code: int, *, by_peer: bool = False) -> None:
        super().__init__(code)
        self.code, self.by_peer = code, by_peer


class SeanceConsumer(AsyncConsumer):
    """One connection to one session. An instance is made for each connection."""

    process: process.Process
    socket: Socket
    session_id: UUID
    user_id: UUID

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """The ASGI application. Channels' own takes a channel and two tasks a socket; the hub needs neither."""
        self.process = await process.current()
        self.scope, self._send = scope, send
        outlet = scope.get("extensions", {}).get(EXTENSION)
        self._queue = None if outlet is not None else QueueOutlet(receive, send)
        self._receive = self._queue.receive if self._queue else receive
        self.socket = Socket(uuid7(), cast(Outlet, outlet or self._queue))
        self.room: Room | None = None
        self.in_flight, self.is_typing, self.voice_until = 0, False, 0.0
        self._has_place = False  # or may have
        self._joining: asyncio.Future[Joined] | None = None  # while it is under way
        self._timers: list[asyncio.TimerHandle] = []
        code = GOING_AWAY
        structlog.contextvars.bind_contextvars(connection_id=str(self.socket.connection_id))
        try:
            code = await self._live()
        except Exception:
            log.exception("socket_crashed")
            code = SERVER_ERROR
            await self._close(code)
        finally:
            self._clean_up(code)

    # --- Handshake ----------------------------------------------------------------------------------------------------

    async def _live(self) -> int:
        message = await self._receive()
        if message["type"] != "websocket.connect":
            return GOING_AWAY
        arrival = arrive(self.scope)
        self.scope["headers"].clear()  # all that they say is in it, and they would stay as long as the socket
        await self._send({"type": "websocket.accept", "subprotocol": arrival.subprotocol})
        log.info("ws_connected")
        try:
            await self._count_in(arrival.address)
            await self._enter(arrival)
            while True:
                await self._handle(await self._next())
        except Closed as closed:
            if not closed.by_peer:
                await self._close(closed.code)
            # A code of the client's own choice says no more than that it went: it frees no seat, and is no label.
            return closed.code if not closed.by_peer or closed.code < 3000 else GOING_AWAY

    async def _count_in(self, address: str) -> None:
        """Count the socket for its address: how many come, and how many are open at once."""
        self.address = address
        addresses = self.process.addresses
        try:
            if wait := addresses.shut_for(address):
                raise SeanceError(Code.RATE_LIMITED, retry_after_ms=wait)
            try:
                addresses.enter(self.socket.connection_id, address)
                await self.process.count(("handshakes", address))
            except SeanceError as refused:
                addresses.shut(address, refused.retry_after_ms or 0)
                raise
        except SeanceError as refused:
            self._refuse_entry(refused, None)

    async def _enter(self, arrival: Arrival) -> None:
        """Wait for the first frame, and join."""
        limits = settings.SEANCE
        self._bad: list[float] = []  # when the latest bad frames came
        self._frames = Pace(burst=limits.socket_frames_per_minute, per_minute=limits.socket_frames_per_minute)
        session_id = self.scope["url_route"]["kwargs"]["session_id"]
        try:
            self.session_id = UUID(session_id)
            if not arrival.is_supported:
                text = f"This server speaks {SUBPROTOCOL}."
                raise SeanceError(Code.VALIDATION_ERROR, text, close_code=UNSUPPORTED_VERSION)
            if arrival.has_token_in_url:
                raise SeanceError(Code.UNAUTHORIZED, "A token does not belong in a URL.")
            claims = verify_token(arrival.token) if arrival.token else None
        except ValueError:
            self._refuse_entry(SeanceError(Code.SESSION_NOT_FOUND), None)
        except SeanceError as refused:
            self._refuse_entry(refused, None)
        deadline = asyncio.get_running_loop().time() + limits.join_wait_seconds
        is_in = False
        while not is_in:
            try:
                async with asyncio.timeout_at(deadline):
                    command = await self._first_command()
            except TimeoutError:
                self.refuse(SeanceError(Code.NOT_JOINED), None)
                raise Closed(NO_JOIN) from None
            # Out of the deadline's reach: a join that was cut off while it commits would sit there for nobody.
            with self.process.somebody_enters():
                is_in = await self._join(command, claims)

    async def _first_command(self) -> Command:
        while True:
            command = await self._next()
            if command.event == "join_session":
                return command
            self.refuse(SeanceError(Code.NOT_JOINED), command.ref)

    async def _join(self, command: Command, claims: Claims | None) -> bool:
        """Try to join; False where the client may try again."""
        data = cast(protocol.Join, command.data)
        self._leave_a_process_that_ends()
        try:
            await self.process.count(("joins", self.address))
            if data.token is not None:
                claims = verify_token(data.token)
            request = JoinRequest(
                connection_id=self.socket.connection_id,
                process_id=self.process.id,
                session_id=self.session_id,
                user_id=claims.user_id if claims else None,
                secret=data.user_id,
                name=data.name,
                role=data.role,
                invite=data.invite,
                family=claims.family if claims else None,
                version=claims.version if claims else 0,
            )
            if self.room is None:
                self.room = await self.process.hub.connect(self.session_id, self.socket)
            self._joining = self.process.joins.submit(request)
            # Shielded: a join that the database grants after all must be known here, or its seat is never given back.
            joined = await asyncio.shield(self._joining)
        except SeanceError as refused:
            log.info("ws_join_refused", code=refused.code)
            self._has_place = self._joining is not None and refused.code in UNKNOWN
            self._joining = None  # it knows where it was raised, which is here
            if refused.code in UNKNOWN:
                refused.retry_after_ms = None  # as after any close of that kind: with longer pauses, unlike the others'
            if refused.code in REFUSALS:
                self._refuse_entry(refused, command.ref)
            self.refuse(refused, command.ref)
            return False
        self._joining, self._has_place = None, True
        self.user_id = joined.participant.user_id
        self._messages = self.process.message_pace(self.user_id)
        structlog.contextvars.bind_contextvars(session_id=str(self.session_id), user_id=str(self.user_id))
        log.info("ws_joined", role=joined.participant.role)
        self._leave_a_process_that_ends()  # it came to that meanwhile, and nobody had this socket on a list
        await self._welcome(self.room, joined, command, data)
        if claims is not None:
            self.watch_token(claims.expires_at)
        return True

    def _leave_a_process_that_ends(self) -> None:
        if self.process.draining:
            self.tell("goodbye", self.process.goodbye())
            raise Closed(DRAINING)

    async def _welcome(self, room: Room, joined: Joined, command: Command, data: protocol.Join) -> None:
        room.begin(joined.epoch)
        first = [events.frame("user_joined", joined.joined)]
        first.append(events.frame("welcome", self._state(joined), ref=command.ref))
        if command.is_bare:
            others = (other for other in joined.participants if other.user_id != self.user_id)
            first += [
                events.frame(
                    "user_joined", events.UserJoined(o.user_id, o.id, o.name, o.joined_at, o.role, o.looks_like)
                )
                for o in others
            ]
        after_seq = None
        if data.resume is not None:
            if data.resume.epoch != joined.epoch:
                first.append(events.frame("resync_required", events.ResyncRequired("epoch_changed")))
            elif data.resume.after_seq > joined.seq:
                first.append(events.frame("resync_required", events.ResyncRequired("position_unknown")))
            else:
                after_seq = data.resume.after_seq
        if data.batch:
            self.socket.outlet = Batches(self.socket.outlet)
        self.socket.take_seat(joined)
        self.process.addresses.joined(self.socket.connection_id)
        await self.process.hub.attach(room, self.socket, after_seq, first)

    def _state(self, joined: Joined) -> events.Welcome:
        limits = settings.SEANCE
        return events.Welcome(
            session=joined.session,
            participant=joined.participant,
            connection_id=self.socket.connection_id,
            epoch=joined.epoch,
            seq=joined.seq,
            participants=joined.participants,
            spirit=joined.spirit,
            recent=joined.recent,
            limits=events.Limits(
                text_max=TEXT_MAX,
                frame_max_bytes=limits.frame_max_bytes,
                messages_burst=limits.messages_burst,
                messages_per_minute=limits.messages_per_minute,
                frames_per_minute=limits.socket_frames_per_minute,
            ),
            heartbeat_ms=round(limits.heartbeat_seconds * 1000),
            server_time=events.now(),
        )

    # --- Frames -------------------------------------------------------------------------------------------------------

    async def _next(self) -> Command:
        """The next frame that is a command; bad ones are answered here. Raises `Closed`."""
        while True:
            message = await self._receive()
            kind = message["type"]
            if kind == "websocket.disconnect":
                raise Closed(int(message.get("code") or GOING_AWAY), by_peer=True)
            if kind == CLOSE:
                raise Closed(message["code"])
            text = message.get("text")
            try:
                if settings.SEANCE.rate_limits_enabled:
                    self._frames.hit()
                if text is None:
                    raise BadFrame(Code.INVALID_FORMAT, "A frame must be text.")
                return protocol.decode(text)
            except BadFrame as bad:
                metrics.BAD_FRAMES.labels(bad.code).inc()
                is_early = not self._has_place and bad.event not in (None, "join_session")
                self.refuse(SeanceError(Code.NOT_JOINED) if is_early else bad, bad.ref)
                now = time.monotonic()
                self._bad = [at for at in self._bad if at > now - 60] + [now]
                if len(self._bad) >= settings.SEANCE.bad_frames_per_minute:
                    raise Closed(PROTOCOL_ERROR) from None
            except SeanceError as limited:
                self.refuse(limited, protocol.ref_of(text))

    async def _handle(self, command: Command) -> None:
        try:
            with spans.span(f"frame {command.event}"):
                await handlers.HANDLERS[command.event](self, command)
        except SeanceError as refused:
            self.refuse(refused, command.ref)

    async def limit_messages(self) -> None:
        """Count a message of this user, here and over all processes; raises `RATE_LIMITED`."""
        if settings.SEANCE.rate_limits_enabled:
            self._messages.hit()
            await self.process.count(("messages", str(self.user_id)), ("session-messages", str(self.session_id)))

    # --- Out ----------------------------------------------------------------------------------------------------------

    def tell(self, event: str, data: msgspec.Struct, ref: str | None = None) -> None:
        """Send this socket a frame of its own."""
        self.socket.outlet.write(framed(events.frame(event, data, ref=ref).encode()))

    def refuse(self, error: SeanceError, ref: str | None) -> None:
        """Tell this socket that something was refused.

        Whoever sits here and has no seat lost it while this process was taken for dead. To say so would be to refuse
        for good what the same person may say after coming back.
        """
        if isinstance(error, SeatLost) and self.room is not None:
            self.socket.close(SERVER_ERROR)
            return
        data = events.ErrorData(error.code, error.message, error.retryable, error.details, error.retry_after_ms)
        self.tell("error", data, ref)

    def _refuse_entry(self, error: SeanceError, ref: str | None) -> None:
        self.refuse(error, ref)
        raise Closed(error.close_code or REFUSALS[error.code]) from None

    def watch_token(self, expires_at: float) -> int:
        """Warn before the token expires, and close when it has; returns the milliseconds until then."""
        for timer in self._timers:
            timer.cancel()
        left = max(0.0, expires_at - time.time())
        loop = asyncio.get_running_loop()
        warning = events.TokenExpiring(round(min(left, TOKEN_WARNING_SECONDS) * 1000))
        self._timers = [
            loop.call_later(max(0.0, left - TOKEN_WARNING_SECONDS), self.tell, "token_expiring", warning),
            loop.call_later(left, self.socket.close, TOKEN_EXPIRED),
        ]
        return round(left * 1000)

    # --- End ----------------------------------------------------------------------------------------------------------

    async def _close(self, code: int) -> None:
        """Close with a code; a reader that takes not even that is dropped."""
        self.socket.closing = self.socket.closing or code
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                if isinstance(self.socket.outlet, Batches):
                    self.socket.outlet.flush()
                if self._queue is not None:
                    await self._queue.flush()
                await self._send({"type": "websocket.close", "code": code})
        except TimeoutError:
            self.socket.outlet.abort()
        except Exception as error:  # noqa: BLE001  it is gone already, in one of a server's many ways of saying so
            log.debug("close_failed", error=type(error).__name__)

    def _clean_up(self, code: int) -> None:
        """Runs however the connection ended; the lease is the net below it."""
        for timer in self._timers:
            timer.cancel()
        if self._queue is not None:
            self._queue.stop()
        self.process.addresses.leave(self.socket.connection_id)
        metrics.CLOSES.labels(str(code)).inc()
        measures.closed(code)
        log.info("ws_closed", code=code)
        if self.room is None:
            return
        self.process.hub.disconnect(self.session_id, self.socket)
        if self.is_typing:
            handlers.stop_typing(self)
        release = Release(self.session_id, self.socket.connection_id, code in FOR_GOOD)
        if self._joining is not None:
            self._joining.add_done_callback(partial(_give_back, self.process, release))
        elif self._has_place:
            self.process.release(release)


def _give_back(parts: process.Process, release: Release, joined: "asyncio.Future[Joined]") -> None:
    if joined.cancelled():
        return
    refused = joined.exception()
    if refused is None or (isinstance(refused, SeanceError) and refused.code in UNKNOWN):
        parts.release(release)
