"""Tests of realtime/feed: whatever is lost, doubled, late or early, each reader sees each event once, in order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from realtime.feed import Entry, Feed

pytestmark = pytest.mark.once


def entry(seq: int, event: str = "message_received") -> Entry:
    return Entry(seq, event, b"%d" % seq)


def seqs(entries: Sequence[Entry] | None) -> list[int] | None:
    return None if entries is None else [item.seq for item in entries]


class Reader:
    """A socket: where it began, and what it was given."""

    def __init__(self, start: int) -> None:
        self.start = self.cursor = start
        self.seen: list[int] = []

    def give(self, entries: Sequence[Entry]) -> None:
        for item in entries:
            if item.seq > self.cursor:
                self.cursor = item.seq
                self.seen.append(item.seq)


class FeedMachine(RuleBasedStateMachine):
    """A log in a database, a messenger that may do anything to what it carries, and readers of one process."""

    @initialize(before=st.integers(0, 5), keep=st.sampled_from([1, 3, 256]))
    def begin(self, before: int, keep: int) -> None:
        self.log = [entry(seq) for seq in range(1, before + 1)]  # all that was ever committed
        self.deletions: dict[int, int] = {}  # a deleted message's seq → its deletion's
        self.carried: list[Entry] = []
        self.feed = Feed(keep=keep)
        self.readers: list[Reader] = []

    # --- The database -------------------------------------------------------------------------------------------------

    @property
    def last(self) -> int:
        return len(self.log)

    def stored(self, after: int, upto: int) -> list[Entry]:
        """What a query finds now: deleted messages are left out."""
        return [item for item in self.log[after:upto] if item.seq not in self.deletions]

    @rule(count=st.integers(1, 4))
    def commit(self, count: int) -> None:
        for _ in range(count):
            self.log.append(entry(self.last + 1))
            self.carried.append(self.log[-1])

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        there = [item.seq for item in self.log if item.event == "message_received" and item.seq not in self.deletions]
        if there:
            gone = data.draw(st.sampled_from(there))
            self.log.append(entry(self.last + 1, "message_deleted"))
            self.deletions[gone] = self.last
            self.carried.append(self.log[-1])

    # --- The messenger ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.carried)
    @rule(data=st.data(), again=st.booleans())
    def deliver(self, data: st.DataObject, again: bool) -> None:
        """Any of what is carried, in any order; perhaps once more later."""
        item = data.draw(st.sampled_from(self.carried))
        if not again:
            self.carried.remove(item)
        self.pass_on(self.feed.offer(item))

    @rule()
    def deliver_all(self) -> None:
        """The ordinary case: all of it, in order."""
        for item in sorted(self.carried):
            self.pass_on(self.feed.offer(item))
        self.carried.clear()

    @precondition(lambda self: self.carried)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        self.carried.remove(data.draw(st.sampled_from(self.carried)))

    # --- The process --------------------------------------------------------------------------------------------------

    def pass_on(self, entries: Sequence[Entry]) -> None:
        for reader in self.readers:
            reader.give(entries)

    @rule(data=st.data())
    def join(self, data: st.DataObject) -> None:
        """As `ConnectionManager.attach`: start the feed, replay, catch up, live."""
        position = self.last
        self.feed.start(position)
        reader = Reader(data.draw(st.integers(0, position)))
        kept = self.feed.since(reader.start)
        assert self.feed.head is not None
        is_ready = kept is not None and self.feed.head >= position
        reader.give(
            [item for item in kept or () if item.seq <= position] if is_ready else self.stored(reader.start, position)
        )
        reader.cursor = max(reader.cursor, position)
        if self.feed.head > reader.cursor:
            reader.give(self.feed.since(reader.cursor) or self.stored(reader.cursor, self.feed.head))
            reader.cursor = self.feed.head
        self.readers.append(reader)

    @precondition(lambda self: self.feed.head is not None and not self.feed.is_resting)
    @rule(data=st.data())
    def repair(self, data: st.DataObject) -> None:
        """A query that began a while ago, on what was there then."""
        assert self.feed.head is not None
        upto = data.draw(st.integers(self.feed.head, self.last)) if self.feed.head <= self.last else self.feed.head
        after = data.draw(st.integers(0, self.feed.head))
        self.pass_on(self.feed.fill(self.stored(after, upto), upto))

    @precondition(lambda self: len(self.readers) > 2)
    @rule()
    def leave(self) -> None:
        """The last reader goes, and the room with it."""
        self.check()
        self.readers.clear()
        self.feed = Feed(keep=3)

    @precondition(lambda self: self.readers)
    @rule()
    def go_for_a_while(self) -> None:
        """Everybody goes, and the room is kept: nothing is repaired until somebody comes back."""
        self.check()
        self.readers.clear()
        self.feed.rest()

    # --- What must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def check(self) -> None:
        if not hasattr(self, "readers"):
            return
        for reader in self.readers:
            assert reader.seen == sorted(set(reader.seen))
            missing = set(range(reader.start + 1, reader.cursor + 1)) - set(reader.seen)
            assert missing <= set(self.deletions), "something was left out that was never deleted"
            assert reader.cursor <= self.last

    @invariant()
    def a_replay_from_memory_is_whole_and_has_nothing_that_was_deleted(self) -> None:
        if not hasattr(self, "readers") or self.feed.head is None:
            return
        head = self.feed.head
        for seq in range(head + 1):
            kept = seqs(self.feed.since(seq))
            if kept is not None:
                assert kept == sorted(kept)
                assert set(range(seq + 1, head + 1)) - set(kept) <= set(self.deletions)
                assert not {gone for gone in kept if self.deletions.get(gone, head + 1) <= head}

    def teardown(self) -> None:
        if hasattr(self, "readers") and self.feed.head is not None:
            self.pass_on(self.feed.fill(self.stored(self.feed.head, self.last), self.last))
            assert not self.feed.hole
            assert all(reader.cursor == self.last for reader in self.readers)
            self.check()


FeedMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestFeed = FeedMachine.TestCase


def test_what_comes_before_the_first_reader_waits_for_its_position() -> None:
    feed = Feed()

    early = [feed.offer(entry(seq)) for seq in (7, 5, 6, 9)]
    ready = feed.start(5)

    assert early == [[], [], [], []]
    assert seqs(ready) == [6, 7]
    assert (feed.head, feed.hole, feed.newest()) == (7, True, 9)


def test_the_position_is_set_once() -> None:
    feed = Feed()
    feed.start(5)

    feed.start(9)

    assert seqs(feed.offer(entry(6))) == [6]


@pytest.mark.parametrize(("heard", "replayed"), [((6, 7), [6, 7]), ((6,), None), ((7,), None), ((), None)])
def test_after_a_rest_memory_serves_whoever_missed_nothing_that_it_missed(
    heard: tuple[int, ...], replayed: list[int] | None
) -> None:
    feed = Feed()
    feed.start(5)
    feed.rest()
    for seq in heard:
        feed.offer(entry(seq))

    feed.start(7)

    assert (feed.head, feed.hole) == (7, False)
    assert seqs(feed.since(5)) == replayed
    assert seqs(feed.since(7)) == []
    assert seqs(feed.offer(entry(8))) == [8]


def test_after_a_hole_a_resting_feed_keeps_no_more_than_it_would_remember() -> None:
    feed = Feed(keep=4)
    feed.start(0)
    feed.rest()
    for seq in range(2, 40):
        feed.offer(entry(seq))

    assert len(feed._early) <= 4
    feed.start(39)
    assert (feed.hole, feed.since(38)) == (False, None)


def test_what_was_rewritten_is_not_replayed_from_memory() -> None:
    feed = Feed()
    feed.start(0)
    feed.offer(entry(1))

    feed.forget()
    feed.offer(entry(2))

    assert feed.since(0) is None
    assert seqs(feed.since(1)) == [2]


def test_the_next_goes_through_at_once_and_the_rest_waits() -> None:
    feed = Feed()
    feed.start(0)

    passed = [seqs(feed.offer(entry(seq))) for seq in (1, 1, 3, 4, 3, 2, 2, 5)]

    assert passed == [[1], [], [], [], [], [2, 3, 4], [], [5]]
    assert not feed.hole


def test_a_hole_of_deleted_entries_is_stepped_over() -> None:
    feed = Feed()
    feed.start(0)
    feed.offer(entry(5))

    ready = feed.fill([entry(2), entry(4)], 4)

    assert seqs(ready) == [2, 4, 5]
    assert seqs(feed.since(0)) == [2, 4, 5]


def test_memory_reaches_back_as_far_as_it_is_kept() -> None:
    feed = Feed(keep=3)
    feed.start(10)
    for seq in range(11, 16):
        feed.offer(entry(seq))

    assert feed.since(11) is None
    assert seqs(feed.since(12)) == [13, 14, 15]
    assert seqs(feed.since(15)) == []


def test_a_deleted_message_is_not_replayed_from_memory() -> None:
    feed = Feed()
    feed.start(0)
    for item in (entry(1), entry(2), entry(3, "message_deleted"), entry(4)):
        feed.offer(item)

    assert feed.since(0) is None
    assert seqs(feed.since(2)) == [3, 4]


def test_a_log_of_another_epoch_begins_anew() -> None:
    feed = Feed()
    feed.start(0)
    for seq in (1, 2, 9):
        feed.offer(entry(seq))

    feed.restart(1)

    assert (feed.head, feed.hole) == (1, False)
    assert seqs(feed.since(1)) == []
    assert feed.since(0) is None
    assert seqs(feed.offer(entry(2))) == [2]


def test_a_feed_without_a_position_replays_nothing() -> None:
    assert Feed().since(0) is None
