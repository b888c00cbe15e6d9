"""sessions_app, reads: the log of a session, as messages (history) and as events (replay); both read the same rows."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import F, QuerySet

from sessions_app import events, replica
from sessions_app.models import Event, Message, Session
from sessions_app.prepared import Prepared


class Entry(NamedTuple):
    """One durable event of the log, encoded as every socket gets it."""

    seq: int
    event: str
    text: str


# In the order of `events.MessageData`, then what an `AnswerData` and a `SpiritResponse` have beside.
_MESSAGE = (
    "id", "session_id", "seq", "user_id", "user_name", "text", "timestamp", "is_spirit", "client_msg_id",
    "in_reply_to_id", "off_record", "deleted_at",
)  # fmt: skip
_ANSWER = ("board_script", "letter_timings", "word_count", "source", "degraded", "starts_at", "turn_id")
_PLAIN = len(_MESSAGE)
_EVENT = ("seq", "type", "data", "timestamp")


def _visible(ids: Sequence[UUID]) -> QuerySet[Message, tuple[Any, ...]]:
    rows = Message.objects.filter(session_id=ids[0], deleted_at__isnull=True)
    return rows.values_list(*_MESSAGE, *(f"answer__{name}" for name in _ANSWER))


_latest = Prepared(lambda ids, _, limit: _visible(ids).order_by("-seq")[:limit])
# Of many sessions: what has one of the last `limit` numbers. Asked of the sessions: each of the few is looked up, and
# then its numbers in the index; asked of the messages, all of a session would be read for its last ones.
_newest = Prepared(
    lambda ids, _, limit: (
        Session.objects.filter(pk__in=ids, messages__deleted_at__isnull=True, messages__seq__gt=F("last_seq") - limit)
        .order_by("messages__seq")
        .values_list(
            *(f"messages__{name}" for name in _MESSAGE), *(f"messages__answer__{name}" for name in _ANSWER), "last_seq"
        )
    )
)
_before = Prepared(lambda ids, seqs, limit: _visible(ids).filter(seq__lt=seqs[0]).order_by("-seq")[:limit])
_after = Prepared(lambda ids, seqs, limit: _visible(ids).filter(seq__gt=seqs[0]).order_by("seq")[:limit])
_between = Prepared(
    lambda ids, seqs, limit: _visible(ids).filter(seq__gt=seqs[0], seq__lt=seqs[1]).order_by("seq")[:limit]
)
_span = Prepared(lambda ids, seqs: _visible(ids).filter(seq__gt=seqs[0], seq__lte=seqs[1]).order_by("seq"))
_events = Prepared(
    lambda ids, seqs: (
        Event.objects.filter(session_id=ids[0], seq__gt=seqs[0], seq__lte=seqs[1]).order_by("seq").values_list(*_EVENT)
    )
)

_head = Prepared(lambda ids, _: Session.objects.filter(pk=ids[0]).values_list("epoch", "last_seq"))


def _message(row: tuple[Any, ...]) -> events.MessageData:
    if not row[7]:
        return events.MessageData(*row[:_PLAIN])
    return events.AnswerData(*row[:_PLAIN], *_answer(row))


def _answer(row: tuple[Any, ...]) -> tuple[Any, ...]:
    script, timings, words, source, degraded, starts_at, _ = row[_PLAIN:]
    return script, timings, words, None, source, degraded, starts_at


def messages(
    session_id: UUID, *, limit: int, after_seq: int | None = None, before_seq: int | None = None
) -> tuple[list[events.MessageData], bool]:
    """Messages in ascending `seq`, and whether there are more on the side that was cut.

    With `after_seq` the first `limit` after it (and before `before_seq`, if that is given too), else the last `limit`.
    """
    more = limit + 1
    if after_seq is not None and before_seq is not None:
        found = _between.rows(session_id, numbers=(after_seq, before_seq), limit=more)
    elif after_seq is not None:
        found = _after.rows(session_id, numbers=(after_seq,), limit=more)
    elif before_seq is not None:
        found = _before.rows(session_id, numbers=(before_seq,), limit=more)
    else:
        found = _latest.rows(session_id, limit=more)
    page = found[:limit] if after_seq is not None else found[:limit][::-1]
    return [_message(row) for row in page], len(found) > limit


def page(
    row: Session, *, limit: int, after_seq: int | None = None, before_seq: int | None = None
) -> tuple[list[events.MessageData], bool]:
    """What `messages` returns, of the session that the database has just shown as `row`.

    The messages come from the database's copy where that has the log up to there: so nobody misses what was written, or
    sees what was deleted, before the row was read.
    """
    return replica.read(
        lambda: messages(row.id, limit=limit, after_seq=after_seq, before_seq=before_seq), lambda: _reaches(row)
    )


def _reaches(row: Session) -> bool:
    found = _head.rows(row.id)
    return bool(found) and found[0][0] == row.epoch and found[0][1] >= row.last_seq


def entries(session_id: UUID, *, after_seq: int, upto_seq: int) -> list[Entry]:
    """Every durable event with after_seq < seq ≤ upto_seq, in order; deleted messages are left out."""
    span = (after_seq, upto_seq)
    found = [_message_entry(row) for row in _span.rows(session_id, numbers=span)]
    if len(found) == upto_seq - after_seq:
        return found  # each number is a message's: there is no other event
    found += [
        Entry(seq, kind, events.frame(kind, data, at=at, seq=seq))
        for seq, kind, data, at in _events.rows(session_id, numbers=span)
    ]
    return sorted(found)


def _message_entry(row: tuple[Any, ...]) -> Entry:
    plain, text = row[:_PLAIN], row[5]
    data: events.MessageData
    if row[7]:
        event, data = "spirit_response", events.SpiritResponse(*[*plain, *_answer(row), text, row[-1]])
    else:
        event, data = "message_received", events.MessageReceived(*[*plain, text])
    return Entry(row[2], event, events.frame(event, data, at=row[6], seq=row[2]))


def recent(session_ids: Iterable[UUID], limit: int) -> Callable[[], dict[UUID, list[events.MessageData]]]:
    """Ask for the latest `limit` messages of each session, oldest first, together with what else is sent within
    `pipelined`; call for the answer."""
    wanted = list(dict.fromkeys(session_ids))
    if len(wanted) == 1:
        latest = _latest.ask_of(wanted, limit=limit)
        return lambda: {wanted[0]: [_message(row) for row in reversed(latest())]}
    newest = _newest.ask_of(wanted, limit=limit)
    return lambda: _recent(wanted, newest(), limit)


def _recent(
    wanted: Sequence[UUID], newest: Iterable[tuple[Any, ...]], limit: int
) -> dict[UUID, list[events.MessageData]]:
    found: dict[UUID, list[events.MessageData]] = {session_id: [] for session_id in wanted}
    last: dict[UUID, int] = {}
    for *row, last_seq in newest:
        message = _message(tuple(row))
        found[message.session_id].append(message)
        last[message.session_id] = last_seq
    for session_id, rows in found.items():
        # Among the last numbers were events or deleted messages: look further back.
        if len(rows) < limit and last.get(session_id, limit + 1) > limit:
            found[session_id] = messages(session_id, limit=limit)[0]
    return found


def last_seq(session_id: UUID) -> int:
    """Where the log of a session ends; 0 for one that does not exist."""
    return Session.objects.filter(pk=session_id).values_list("last_seq", flat=True).first() or 0
