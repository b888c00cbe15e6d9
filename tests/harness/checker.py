"""Tests of the whole: the judge. Was every acknowledged message stored once, and seen by everybody in one order?

It is pure: logs of clients and a stored log go in, sentences about what is broken come out. test_checker.py hands it
doctored logs, of which it must catch every one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.harness.records import Log, Stored, StoredLog, Stream


class Broken(AssertionError):
    """The promise was broken."""


def check(stored: StoredLog, logs: Iterable[Log], *, complete: bool = True) -> None:
    """Raise `Broken` with everything that is wrong; with `complete` each client must have seen the log to its end."""
    wrong = problems(stored, logs, complete=complete)
    if wrong:
        shown = "\n".join(f"- {line}" for line in wrong[:25])
        raise Broken(f"{len(wrong)} breaches of the promise:\n{shown}")


def problems(stored: StoredLog, logs: Iterable[Log], *, complete: bool = True) -> list[str]:
    """What is wrong, one sentence each; nothing where all is well."""
    logs = list(logs)
    wrong = [*_of_the_log(stored)]
    for log in logs:
        wrong += _of_acks(stored, log)
        wrong += _of_streams(stored, log, complete=complete)
        wrong += [f"{log.name}: {line}" for line in log.strange]
    wrong += _of_strangers(stored, logs)
    return wrong


def _of_the_log(stored: StoredLog) -> Iterable[str]:
    """The log by itself: 1, 2, 3 … without holes, every id once, every client_msg_id once for each author."""
    numbers = [row.seq for row in stored.rows]
    if numbers != list(range(1, len(numbers) + 1)):
        missing = sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers))
        doubled = sorted(number for number, count in Counter(numbers).items() if count > 1)
        yield f"stored: the numbers are not 1 to {len(numbers)}: missing {missing[:9]}, doubled {doubled[:9]}"
    if stored.last_seq != max(numbers, default=0):
        yield f"stored: the counter says {stored.last_seq}, the last row {max(numbers, default=0)}"
    for row_id, count in Counter(row.id for row in stored.rows if row.id).items():
        if count > 1:
            yield f"stored: the id {row_id} is there {count} times"
    for key, count in Counter((row.user_id, row.client_msg_id) for row in stored.rows if row.client_msg_id).items():
        if count > 1:
            yield f"stored: the client_msg_id {key[1]} of {key[0]} is there {count} times"


def _of_acks(stored: StoredLog, log: Log) -> Iterable[str]:
    """What was acknowledged is stored, as it was sent, where the ack said."""
    by_number = {row.seq: row for row in stored.rows}
    texts = {sent.client_msg_id: sent.text for sent in log.sends}
    places: dict[str, tuple[str, int]] = {}
    for ack in log.acks:
        row = by_number.get(ack.seq)
        if row is None or row.id != ack.id or row.client_msg_id != ack.client_msg_id:
            yield f"{log.name}: {ack.client_msg_id} was acknowledged as {ack.seq}, which is {_shown(row)}"
        elif ack.client_msg_id not in texts:
            yield f"{log.name}: {ack.client_msg_id} was acknowledged, and never sent"
        elif row.text != texts[ack.client_msg_id]:
            yield f"{log.name}: {ack.client_msg_id} was sent as {texts[ack.client_msg_id]!r}, stored as {row.text!r}"
        if places.setdefault(ack.client_msg_id, (ack.id, ack.seq)) != (ack.id, ack.seq):
            yield f"{log.name}: {ack.client_msg_id} was acknowledged at two places"


def _of_streams(stored: StoredLog, log: Log, *, complete: bool) -> Iterable[str]:
    """Each stream is the stored log from its beginning on, deleted messages aside."""
    before = 0
    for stream in log.streams:
        if stream.epoch == stored.epoch and stream.after < before:
            yield f"{log.name}: a stream that began after {stream.after} followed one that had reached {before}"
        before = stream.position
        yield from _of_stream(stored, log.name, stream)
    if complete and log.streams and log.streams[-1].position < _last_visible(stored):
        yield f"{log.name}: it ended at {log.streams[-1].position}, the log at {_last_visible(stored)}"


def _of_stream(stored: StoredLog, name: str, stream: Stream) -> Iterable[str]:
    by_number = {row.seq: row for row in stored.rows}
    given = [receipt.seq for receipt in stream.receipts]
    for earlier, later in zip([stream.after, *given], given, strict=False):
        if later <= earlier:
            yield f"{name}: {later} came after {earlier}"
    for receipt in stream.receipts:
        row = by_number.get(receipt.seq)
        seen = (receipt.event, receipt.id, receipt.client_msg_id, receipt.text)
        if row is None or (row.event, row.id, row.client_msg_id, row.text) != seen:
            saw = f"{receipt.event} {receipt.id} {receipt.text!r}"
            yield f"{name}: at {receipt.seq} it saw {saw}, stored is {_shown(row)}"
    had = set(given)
    reached = max(given, default=stream.after)
    lost = [row.seq for row in stored.rows if stream.after < row.seq <= reached and not row.is_deleted]
    missing = [number for number in lost if number not in had]
    if missing:
        yield f"{name}: it never saw {missing[:9]} ({len(missing)} in all) between {stream.after} and {reached}"


def _of_strangers(stored: StoredLog, logs: list[Log]) -> Iterable[str]:
    """Nobody's words but those that were sent: looked at only where the log of every author is known."""
    sent = {(log.user_id, item.client_msg_id) for log in logs for item in log.sends}
    authors = {log.user_id for log in logs if log.user_id}
    for row in stored.rows:
        if row.client_msg_id and row.user_id in authors and (row.user_id, row.client_msg_id) not in sent:
            yield f"stored: {row.seq} ({row.client_msg_id}) was never sent by its author"


def _last_visible(stored: StoredLog) -> int:
    return max((row.seq for row in stored.rows if not row.is_deleted), default=0)


def _shown(row: Stored | None) -> str:
    return "nothing" if row is None else f"{row.event} {row.id} {row.text!r}"
