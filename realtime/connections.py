"""realtime, the process's hub: who is connected here, and how an event reaches them.

The process, not each socket, is a member of a session's group. An event arrives as ready text and is written to the
session's sockets in the order of its `seq`; a socket is only ever given the number after its last one. The hub never
waits for a socket: a reader that lags loses planchette moves first, and then its connection.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from uuid import UUID

import structlog
from django.conf import settings

from realtime import measures, metrics
from realtime.bridge import Bridge
from realtime.bus import Bus
from realtime.feed import Entry
from realtime.outlet import framed
from realtime.room import LAG_BYTES, Room, Socket
from sessions_app import events
from sessions_app.errors import SeanceError
from sessions_app.publish import REWRITTEN, Notice
from sessions_app.selectors import history
from sessions_app.services.presence import Head
from sessions_app.services.turns import WAKE

log = structlog.get_logger(__name__)

HOLE_SECONDS = 0.03  # how long a missing number may still be on its way before the database is asked
DEAF_SECONDS = 0.005  # the same while nothing comes from others: only so long that one question does for several
REPLAY_BYTES = 32_768  # of a replay are written ahead of the reader
REPLAY_PAUSE = 0.01
KEPT_SECONDS = 30.0  # a room without people, at most: a seat may be kept for an hour
SESSION_ENDED, SLOW_CONSUMER, DRAINING = 4505, 4002, 4006
RELOAD_MS = 1000  # within which those come back who were told to come in anew

Observer = Callable[[Notice], None]


class ConnectionManager:
    """The hub of one process. All its methods run on the event loop."""

    def __init__(self, bridge: Bridge, bus: Bus) -> None:
        self._bridge, self._bus = bridge, bus
        self._rooms: dict[str, Room] = {}
        self._left: dict[str, asyncio.TimerHandle] = {}  # rooms in which nobody is any more, until they are closed
        self._tasks: set[asyncio.Task[None]] = set()
        self.observers: list[Observer] = []
        self._delivered = 0  # frames since the last report

    # --- Who is here --------------------------------------------------------------------------------------------------

    async def connect(self, session_id: UUID, socket: Socket) -> Room:
        """Let a socket wait in a session's room, before it has joined: from now on nothing passes it by."""
        key = str(session_id)
        room = self._rooms.get(key)
        if room is None:
            room = self._rooms[key] = Room(session_id)
        elif (closing := self._left.pop(key, None)) is not None:
            closing.cancel()
        self._count_rooms()
        room.sockets[socket.connection_id] = socket
        await self._bus.join(key)
        return room

    def disconnect(self, session_id: UUID, socket: Socket) -> None:
        """Forget a socket. The room of the last one is kept about as long as its seat, where anybody ever was in it:
        who comes back finds there what was said meanwhile."""
        key = str(session_id)
        room = self._rooms.get(key)
        if room is None or room.sockets.pop(socket.connection_id, None) is None:
            return
        if socket.held is None:
            room.live.remove(socket)
        if socket.participant_id is not None:
            metrics.SOCKETS.dec()
        if room.sockets:
            return
        if room.feed.head is None:
            self._close_room(key)
        else:
            room.feed.rest()
            seconds = min(KEPT_SECONDS, settings.SEANCE.seat_grace_seconds)
            self._left[key] = asyncio.get_running_loop().call_later(seconds, self._close_room, key)
        self._count_rooms()

    def _close_room(self, key: str) -> None:
        self._left.pop(key, None)
        self._rooms.pop(key).close()
        self._spawn(self._leave(key))

    def _count_rooms(self) -> None:
        metrics.ROOMS.set(len(self._rooms) - len(self._left))

    async def _leave(self, key: str) -> None:
        if key not in self._rooms:  # somebody may have come in the same moment
            await self._bus.leave(key)

    def get_session_users(self, session_id: UUID) -> set[UUID]:
        """The users who have a socket of this session in this process."""
        room = self._rooms.get(str(session_id))
        return {one.user_id for one in room.sockets.values() if one.user_id and one.participant_id} if room else set()

    def session_ids(self) -> list[UUID]:
        """The sessions that have a socket here."""
        return [room.session_id for room in self._rooms.values() if room.sockets]

    def sockets(self) -> list[Socket]:
        """Every socket that has joined here, streams among them."""
        return [socket for room in self._rooms.values() for socket in room.sockets.values() if socket.is_in]

    # --- In and out ---------------------------------------------------------------------------------------------------

    def send_to(self, socket: Socket, frames: Iterable[str]) -> None:
        """Give one socket frames of its own."""
        for text in frames:
            self._write(socket, framed(text.encode()))

    def publish(self, notices: Sequence[Notice]) -> None:
        """Tell what happened: the sockets here at once, the other processes over Redis."""
        self.broadcast(notices)
        self._bus.send(notices)

    def broadcast(self, notices: Sequence[Notice]) -> None:
        """Pass notices on to the sockets of their sessions here."""
        for notice in notices:
            for observer in self.observers:
                observer(notice)
            room = self._rooms.get(notice.session)
            if room is None or notice.event == WAKE:
                continue
            if notice.event == REWRITTEN:
                room.feed.forget()
            elif notice.close:
                self._close(room, notice.close, notice.close_code)
            elif notice.seq:
                entries = room.feed.offer(_entry(notice))
                self._deliver(room, entries)
                if entries:  # a second copy, or one that waits for a hole, is not delivered now
                    measures.delivered(room.session_id, notice.text, len(room.live))
                if room.feed.hole and room.sockets:
                    self._expect(room)
            else:
                self._pass_state(room, notice)

    async def attach(self, room: Room, socket: Socket, after_seq: int | None, first: Sequence[str] = ()) -> bool:
        """Bring a socket that has its place up to date and let it live: its own frames first, then what it missed.

        With `after_seq` the whole log after it is sent; returns False where that is not possible.
        """
        place = socket.cursor
        if room.feed.is_resting and place > (room.feed.head or 0):
            room.moves.clear()  # their end may be among what was missed
        room.feed.start(place)
        if socket.participant_id is not None:
            metrics.SOCKETS.inc()
        self.send_to(socket, first)
        resumed = True
        if after_seq is not None:
            missed = await self._missed(room, after_seq, place)
            resumed = missed is not None
            for entry in missed or ():
                self._write(socket, entry.wire)
                await _reader_follows(socket)
            if missed is not None:
                count = events.Resumed(after_seq, place, len(missed))
                self.send_to(socket, [events.frame("resumed", count)])
            else:
                self.send_to(socket, [events.frame("resync_required", events.ResyncRequired("too_far_behind"))])
        await self._catch_up(room, socket)
        held = socket.go_live(room)
        for notice in [*(item for item in room.running_moves() if item not in held), *held]:
            self._give_state(socket, notice)
        return resumed

    # --- Order --------------------------------------------------------------------------------------------------------

    def _deliver(self, room: Room, entries: Iterable[Entry]) -> None:
        for entry in entries:
            seq, _, wire = entry
            for socket in room.live:
                if socket.cursor < seq:
                    socket.cursor = seq
                    if socket.outlet.write(wire) > LAG_BYTES:
                        self._check_reader(socket)
            self._delivered += len(room.live)
            if entry.event == "session_ended":
                for socket in list(room.sockets.values()):
                    socket.close(SESSION_ENDED)
            elif entry.event == "spirit_cancelled":
                room.moves.clear()

    async def _missed(self, room: Room, after_seq: int, upto: int) -> Sequence[Entry] | None:
        if upto - after_seq > settings.SEANCE.resume_max_events:
            return None
        kept = room.feed.since(after_seq)
        if kept is not None and room.feed.head is not None and room.feed.head >= upto:
            return [entry for entry in kept if entry.seq <= upto]
        return await self._read(room.session_id, after_seq, upto)

    async def _catch_up(self, room: Room, socket: Socket) -> None:
        """Give a socket what was passed on between its join and now."""
        while (head := room.feed.head or 0) > socket.cursor:
            entries = room.feed.since(socket.cursor)
            if entries is None:
                entries = await self._read(room.session_id, socket.cursor, head)
            for entry in entries:
                self._write(socket, entry.wire)
                if entry.event == "session_ended":
                    socket.close(SESSION_ENDED)
            socket.cursor = head

    async def _read(self, session_id: UUID, after_seq: int, upto: int) -> list[Entry]:
        found = await self._bridge.call(history.entries, session_id, after_seq=after_seq, upto_seq=upto)
        return [Entry(row.seq, row.event, framed(row.text.encode())) for row in found]

    def _expect(self, room: Room) -> None:
        """Something came early. What is missing is on its way, or has to be read."""
        if not room.expecting:
            room.expecting = True
            self._spawn(self._fill_hole(room))

    async def _fill_hole(self, room: Room) -> None:
        head: int | None = -1
        try:
            # Again where more was missed meanwhile; where the database did not help either, the next poll does.
            while room.feed.hole and room.sockets and room.feed.head != head:
                head = room.feed.head
                key = str(room.session_id)
                await asyncio.sleep(DEAF_SECONDS if self._bus.is_deaf(key) else HOLE_SECONDS)
                if head is not None and room.feed.hole:
                    self._bus.missed(key)
                    await self.repair(room, room.feed.newest(), by="hole")
        finally:
            room.expecting = False

    async def repair(self, room: Room, upto: int, *, by: str) -> None:
        """Read what this process was not told, up to `upto`; `by` says what noticed it."""
        head = room.feed.head
        if head is None or head >= upto:
            return
        try:
            entries = await self._read(room.session_id, head, upto)
        except SeanceError as error:  # the database is away: the next poll tries again
            log.warning("repair_failed", session_id=str(room.session_id), code=error.code)
            return
        metrics.GAPS.labels(by).inc()
        self._deliver(room, room.feed.fill(entries, upto))

    async def compare(self, heads: dict[UUID, Head]) -> None:
        """The head poll: catch up wherever the database is ahead; people of a log of another epoch must resync."""
        for session_id, head in heads.items():
            room = self._rooms.get(str(session_id))
            if room is None or room.feed.head is None:
                continue
            if room.epoch and room.epoch != head.epoch:
                room.feed.restart(head.last_seq)
                for socket in list(room.sockets.values()):
                    self.send_to(socket, [events.frame("resync_required", events.ResyncRequired("epoch_changed"))])
                    socket.cursor = head.last_seq
                room.epoch = head.epoch
            elif head.last_seq > room.feed.head:
                await self.repair(room, head.last_seq, by="poll")

    async def heal(self, session_id: UUID, last_seq: int) -> int:
        """A client told how far it is: where the room is behind that, read on. Returns the room's head."""
        room = self._rooms.get(str(session_id))
        if room is None or room.feed.head is None:
            return 0
        if last_seq > room.feed.head:
            heads = await self._bridge.call(history.last_seq, session_id)
            await self.repair(room, min(last_seq, heads), by="heartbeat")
        return room.feed.head or 0

    # --- State --------------------------------------------------------------------------------------------------------

    def _pass_state(self, room: Room, notice: Notice) -> None:
        if notice.event == "typing":
            room.hear_typing(notice.text, self._typing_changed)
            return
        room.remember(notice)
        for socket in list(room.sockets.values()):
            self._give_state(socket, notice)

    def _give_state(self, socket: Socket, notice: Notice) -> None:
        if socket.held is not None:
            socket.held.append(notice)
        elif not notice.presence or notice.presence > socket.presence:
            if not socket.is_lagging or not notice.event.startswith(("spirit_move", "user_typing")):
                self._write(socket, framed(notice.text.encode()))

    def _typing_changed(self, room: Room) -> None:
        wire = framed(events.frame("user_typing", room.typing_now()).encode())
        for socket in room.live:
            if not socket.is_lagging:
                self._write(socket, wire)

    # --- Slow readers -------------------------------------------------------------------------------------------------

    def _write(self, socket: Socket, wire: bytes) -> None:
        self._delivered += 1
        if socket.outlet.write(wire) > LAG_BYTES:
            self._check_reader(socket)

    def _check_reader(self, socket: Socket) -> None:
        """Whoever lags by too many bytes, or for too long, is closed, and comes back by resume."""
        backlog, now = socket.outlet.backlog(), time.monotonic()
        if backlog == 0:
            socket.lags_since = None
        elif socket.lags_since is None:
            socket.lags_since = now
        limits = settings.SEANCE
        if socket.lags_since is not None and (
            backlog > limits.outbound_max_bytes or now - socket.lags_since > limits.outbound_max_seconds
        ):
            socket.close(SLOW_CONSUMER)

    def report(self) -> None:
        """Hand over what was counted: a locked counter for each frame would cost more than the frame."""
        delivered, self._delivered = self._delivered, 0
        metrics.DELIVERIES.inc(delivered)

    def check_readers(self) -> None:
        """Look after every socket; also after those to which nothing is being written."""
        for socket in self.sockets():
            if socket.lags_since is not None or socket.outlet.backlog():
                self._check_reader(socket)

    def _close(self, room: Room, whom: str, code: int) -> None:
        for socket in list(room.sockets.values()):
            if whom in (str(socket.user_id), str(socket.connection_id)):
                self._end(socket, code)

    def close_connections(self, codes: dict[UUID, int]) -> None:
        """Close sockets by the id of their connection; those that are not here are none of ours any more."""
        for socket in self.sockets():
            if (code := codes.get(socket.connection_id)) is not None:
                self._end(socket, code)

    def _end(self, socket: Socket, code: int) -> None:
        """Close a socket by request; one that shall come in anew is told when."""
        if code == DRAINING:
            self.dismiss(socket, "reload", RELOAD_MS)
        else:
            socket.close(code)

    def dismiss(self, socket: Socket, reason: str, window_ms: int) -> None:
        """Send a socket away with 4006, to come back at a moment of its own within the window."""
        if not socket.closing:
            goodbye = events.Goodbye(reason, random.randint(0, window_ms), socket.cursor)
            self.send_to(socket, [events.frame("goodbye", goodbye)])
            socket.close(DRAINING)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _reader_follows(socket: Socket) -> None:
    """In a replay: whoever reads on is no slow reader for having missed much."""
    while socket.outlet.backlog() > REPLAY_BYTES and not socket.closing:  # noqa: ASYNC110  a transport tells nobody
        await asyncio.sleep(REPLAY_PAUSE)


def _entry(notice: Notice) -> Entry:
    return Entry(notice.seq, notice.event, framed(notice.text.encode()))
