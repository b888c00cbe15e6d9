"""realtime, sans-I/O: one session's events in order, whatever order they arrive in. Proven by a state machine in tests.

A feed is what a process knows of a session's log: `head` is the last number it has passed on, and everything up to it
was passed on exactly once and in order. What arrives early waits; what arrived before is dropped; a hole is filled from
the database, which may leave deleted entries out.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Entry(NamedTuple):
    """One durable event: its place, its name, and the frame as sockets get it."""

    seq: int
    event: str
    wire: bytes


class Feed:
    """The log of one session as far as one process has passed it on."""

    def __init__(self, *, keep: int = 256) -> None:
        self.head: int | None = None  # unknown until the first socket has read its position
        self._early: dict[int, Entry] = {}
        self._ring: deque[Entry] = deque()
        self._keep = keep
        self._ring_after = 0  # every visible entry after this number, up to the head, is in the ring
        self.is_resting = False

    def start(self, seq: int) -> list[Entry]:
        """Set the position, once, and again after a rest; returns what arrived meanwhile and is next."""
        if self.head is None or (self.is_resting and seq > self.head):
            self.head = self._ring_after = seq
            self._ring.clear()
        self.is_resting = False
        return self._drain()

    def rest(self) -> None:
        """Nobody listens any more: what is missed from now on is repaired by nobody, and left to the next `start`."""
        self.is_resting = True

    def offer(self, entry: Entry) -> list[Entry]:
        """Take an event as it arrives; returns what can be passed on now, in order."""
        if self.head is None:
            self._early[entry.seq] = entry
            return []
        if entry.seq == self.head + 1 and not self._early:
            self._pass(entry)
            return [entry]
        if entry.seq > self.head:
            if self.is_resting and len(self._early) >= self._keep:  # nobody fills the hole: the next `start` does
                self._early.clear()
            self._early.setdefault(entry.seq, entry)
        return self._drain()

    def fill(self, entries: Iterable[Entry], upto: int) -> list[Entry]:
        """Take what the database holds up to and with `upto`; numbers missing in it are deleted entries."""
        ready = []
        for entry in entries:
            if self.head is not None and self.head < entry.seq <= upto:
                self._pass(entry)
                ready.append(entry)
        if self.head is not None and self.head < upto:
            self.head = upto
        return ready + self._drain()

    def forget(self) -> None:
        """What was passed on is not remembered: what is stored of it was rewritten."""
        self._ring.clear()
        self._ring_after = self.head or 0

    def restart(self, seq: int) -> None:
        """Forget everything: the log is another one now (its epoch changed)."""
        self._early.clear()
        self._ring.clear()
        self.head = self._ring_after = seq

    @property
    def hole(self) -> bool:
        """Whether something waits for a number that did not come."""
        return bool(self._early)

    def newest(self) -> int:
        """The highest number seen, passed on or not."""
        return max(self._early, default=0) if self._early else self.head or 0

    def since(self, seq: int) -> Sequence[Entry] | None:
        """Every visible entry after `seq` up to the head; None where the ring does not reach back so far."""
        if self.head is None or seq < self._ring_after:
            return None
        return [entry for entry in self._ring if entry.seq > seq]

    def _drain(self) -> list[Entry]:
        ready = []
        if self.head is not None and self._early:
            while (entry := self._early.pop(self.head + 1, None)) is not None:
                self._pass(entry)
                ready.append(entry)
            for seq in [seq for seq in self._early if seq <= self.head]:
                del self._early[seq]
        return ready

    def _pass(self, entry: Entry) -> None:
        self.head = entry.seq
        if entry.event == "message_deleted":  # what it takes away is in the ring, and must not be replayed from there
            self._ring.clear()
            self._ring_after = entry.seq - 1
        self._ring.append(entry)
        if len(self._ring) > self._keep:
            self._ring_after = self._ring.popleft().seq
