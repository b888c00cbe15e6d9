"""realtime, what a process knows of one session: its sockets, its feed, who types, and where the planchette is."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from realtime.feed import Feed
from realtime.outlet import CLOSE, Outlet
from sessions_app import events
from sessions_app.publish import Notice
from sessions_app.services.seats import Joined

TYPING_SECONDS = 8.0
MOVES_KEPT = 100  # a script is 20 s long at most, in batches of a quarter second
SCRIPT_PAUSE = timedelta(milliseconds=500)  # how late the next batch of a script may be
LAG_BYTES = 65_536  # from here on moves and typing are not written to a socket that lags


class Typist(msgspec.Struct, array_like=True):
    """What a `typing` notice says: who, and whether."""

    id: UUID
    name: str
    is_typing: bool


class Socket:
    """One connection. `cursor` is the last `seq` it was given, `presence` the version it knows."""

    __slots__ = (
        "closing",
        "connection_id",
        "cursor",
        "held",
        "is_in",
        "lags_since",
        "name",
        "outlet",
        "participant_id",
        "presence",
        "user_id",
    )

    def __init__(self, connection_id: UUID, outlet: Outlet) -> None:
        self.connection_id, self.outlet = connection_id, outlet
        self.user_id: UUID | None = None
        self.participant_id: UUID | None = None
        self.name = ""
        self.is_in = False
        self.cursor = self.presence = 0
        self.held: list[Notice] | None = []  # what happens while it joins; None once it is live
        self.lags_since: float | None = None
        self.closing = 0

    @property
    def is_lagging(self) -> bool:
        """Whether only what must arrive should be written to it."""
        return self.lags_since is not None and self.outlet.backlog() > LAG_BYTES

    def take_seat(self, joined: Joined) -> None:
        """The join was granted: from here on it has a position."""
        self.user_id, self.participant_id = joined.participant.user_id, joined.participant.id
        self.name = joined.participant.name
        self.presence = joined.presence
        self.take_place(joined.seq)

    def take_place(self, seq: int) -> None:
        """It has a position in the log, with a seat or, as a stream, without one."""
        self.is_in, self.cursor = True, seq

    def go_live(self, room: "Room") -> list[Notice]:
        """Everything up to now was given; returns what was held back meanwhile."""
        held, self.held = self.held or [], None
        room.live.append(self)
        return held

    def close(self, code: int) -> None:
        """Ask the consumer to close the connection; the first code wins."""
        if not self.closing:
            self.closing = code
            self.outlet.wish({"type": CLOSE, "code": code})


class _MoveFrame(msgspec.Struct):
    data: events.SpiritMove


class _ThinkingFrame(msgspec.Struct):
    data: events.SpiritThinking


_move = msgspec.json.Decoder(_MoveFrame)
_thinking = msgspec.json.Decoder(_ThinkingFrame)


def _end_ms(move: dict[str, Any]) -> int:
    return int(move["t_ms"] + move["travel_ms"] + move["dwell_ms"])


class Room:
    """One session in this process."""

    def __init__(self, session_id: UUID) -> None:
        self.session_id = session_id
        self.feed = Feed()
        self.epoch = ""
        self.sockets: dict[UUID, Socket] = {}
        self.live: list[Socket] = []
        self.expecting = False
        self.moves: deque[Notice] = deque(maxlen=MOVES_KEPT)
        self._typing: dict[UUID, tuple[str, float]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, epoch: str) -> None:
        """Somebody has a place in the log of this epoch. Whoever is here already hears of another one by the poll."""
        if self.epoch != epoch and self.feed.is_resting and not any(one.is_in for one in self.sockets.values()):
            self.feed, self.epoch = Feed(), epoch
            self.moves.clear()
        self.epoch = self.epoch or epoch

    def close(self) -> None:
        """Nobody came back."""
        if self._timer is not None:
            self._timer.cancel()

    def remember(self, notice: Notice) -> None:
        """Keep the latest moves, for those who come in while the planchette moves."""
        if notice.event == "spirit_move":
            self.moves.append(notice)
        elif notice.event == "spirit_thinking":
            # Another attempt at a turn spells its line anew.
            turn = _thinking.decode(notice.text).data.turn_id
            if any(_move.decode(moves.text).data.turn_id == turn for moves in list(self.moves)[-1:]):
                self.moves.clear()

    def running_moves(self) -> list[Notice]:
        """The moves, so far, of the script that is being played; none where the last one known is over."""
        if not self.moves:
            return []
        told = [_move.decode(notice.text).data for notice in self.moves]
        last, now = told[-1], datetime.now(UTC)
        if last.starts_at + timedelta(milliseconds=_end_ms(last.moves[-1])) + SCRIPT_PAUSE < now:
            self.moves.clear()
            return []
        return [notice for notice, data in zip(self.moves, told, strict=True) if data.turn_id == last.turn_id]

    # --- Typing -------------------------------------------------------------------------------------------------------

    def hear_typing(self, text: str, changed: Callable[["Room"], None]) -> None:
        """Somebody types, or does no more; calls `changed` where that changes the set."""
        who = msgspec.json.decode(text, type=Typist)
        before = list(self._typing)
        self._typing.pop(who.id, None)
        if who.is_typing:
            self._typing[who.id] = (who.name, time.monotonic() + TYPING_SECONDS)
            self._watch(changed)
        if set(before) != set(self._typing):
            changed(self)

    def typing_now(self) -> events.UserTyping:
        """The whole set, and who began last."""
        users = [events.PersonRef(user_id, name) for user_id, (name, _) in self._typing.items()]
        return events.UserTyping(users, users[-1].name if users else None)

    def _watch(self, changed: Callable[["Room"], None]) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TYPING_SECONDS, self._expire, changed)

    def _expire(self, changed: Callable[["Room"], None]) -> None:
        self._timer = None
        now = time.monotonic()
        over = [user_id for user_id, (_, until) in self._typing.items() if until <= now + 0.05]
        for user_id in over:
            del self._typing[user_id]
        if self._typing:
            soonest = min(until for _, until in self._typing.values())
            self._timer = asyncio.get_running_loop().call_later(max(0.05, soonest - now), self._expire, changed)
        if over:
            changed(self)
