"""realtime, Server-Sent Events: the door for those who only read. A stream is a socket of the hub without a seat.

It takes part in nothing: no participant, no presence. The hub brings it up to date and keeps it in order exactly as
every other socket. Source: docs/protocol.md, section 1.4.
"""

import asyncio
import time

import structlog
from uuid_utils.compat import uuid7

from realtime import metrics, process
from realtime.event_stream import EventStream
from realtime.outlet import Receive, Send
from realtime.room import Room, Socket
from sessions_app.errors import Code, SeanceError
from sessions_app.selectors.streams import Opening, head_of

log = structlog.get_logger(__name__)

LAST_WORD_SECONDS = 30.0  # how long the end may take to a reader that does not read
SERVER_ERROR, TOKEN_EXPIRED = 4000, 4001
Headers = list[tuple[bytes, bytes]]


async def stream(opening: Opening, headers: Headers, receive: Receive, send: Send) -> None:
    """Serve one reader to the end. Raises `SeanceError` only before anything was sent."""
    parts = await process.current()
    outlet = EventStream(opening)
    socket = Socket(uuid7(), outlet)
    reader, socket.user_id = opening.reader, opening.user_id
    timer: asyncio.TimerHandle | None = None
    try:
        parts.addresses.enter(socket.connection_id, opening.address, is_in=True)
        parts.streams.enter(socket, opening)
        room = await _enter(parts, outlet, socket, opening)
        if reader is not None:
            left = max(0.0, reader.claims.expires_at - time.time())
            timer = asyncio.get_running_loop().call_later(left, socket.close, TOKEN_EXPIRED)
        metrics.STREAMS.inc()
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            following = _follow(parts, room, socket, opening) if room is not None else asyncio.sleep(0)
            await _until_the_end(asyncio.ensure_future(following), outlet, receive, send)
        finally:
            metrics.STREAMS.dec()
    finally:
        if timer is not None:
            timer.cancel()
        parts.addresses.leave(socket.connection_id)
        parts.streams.leave(socket)
        parts.hub.disconnect(opening.session_id, socket)
        log.info("stream_closed", session_id=str(opening.session_id), code=socket.closing)
    try:
        async with asyncio.timeout(LAST_WORD_SECONDS):
            await send({"type": "http.response.body", "body": b""})
    except Exception as error:  # noqa: BLE001  it is gone already, in one of a server's many ways of saying so
        log.debug("close_failed", error=type(error).__name__)


async def _enter(parts: process.Process, outlet: EventStream, socket: Socket, opening: Opening) -> Room | None:
    """Come into the room first, then look where the log is: nothing passes in between. None where there is a resync."""
    if opening.resync:
        outlet.resync(opening.resync)
        return None
    room = await parts.hub.connect(opening.session_id, socket)
    seq: int | None = await parts.bridge.call(head_of, opening.session_id, opening.epoch)
    if parts.draining:  # from here to its place nothing is waited for: it is on the list of those who are told
        raise SeanceError(Code.UNAVAILABLE, retry_after_ms=parts.goodbye().reconnect_after_ms)
    if seq is None:
        outlet.resync("epoch_changed")
        return None
    room.begin(opening.epoch)
    outlet.head = seq
    socket.take_place(seq)
    return room


async def _follow(parts: process.Process, room: Room, socket: Socket, opening: Opening) -> None:
    # Without a position of its own the stream began where the view looked: what was said since then is told.
    begin = opening.after_seq if opening.after_seq is not None else opening.seq
    try:
        await parts.hub.attach(room, socket, begin)
    except SeanceError:  # the database went away: what was sent stands, and the reader comes back
        socket.close(SERVER_ERROR)


async def _until_the_end(following: "asyncio.Future[None]", outlet: EventStream, receive: Receive, send: Send) -> None:
    ends: list[asyncio.Future[object]] = [
        asyncio.ensure_future(outlet.run(send)), asyncio.ensure_future(_gone(receive)),
        asyncio.ensure_future(outlet.cut.wait()),
    ]  # fmt: skip
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in ends:
            task.cancel()
        following.cancel()
        await asyncio.gather(*ends, following, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
