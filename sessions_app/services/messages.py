"""sessions_app, writes: messages, many at a time, and their deletion.

`post_messages` is the only way in for a message, from both doors. One call is one transaction under the locks of its
sessions: every message in it is stored with its `seq`, or refused by itself, and what was stored is published in that
order once it has committed.
"""

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction
from uuid_utils.compat import uuid7

from sessions_app import events, policies
from sessions_app.errors import Code, SeanceError
from sessions_app.models import Message, Participant, Session, User
from sessions_app.publish import Notice, publish
from sessions_app.selectors import shapes
from sessions_app.services import fastpath
from sessions_app.services.fastpath import Placed, Plain
from sessions_app.services.log import Busy, append_event, lock_session, lock_sessions
from sessions_app.services.turns import Asked, ask, withdraw
from sessions_app.text import clean_client_msg_id, clean_message, is_client_msg_id


class Draft(NamedTuple):
    """A message to be posted by `user_id`; the text as it was typed."""

    session_id: UUID
    user_id: UUID
    text: str
    client_msg_id: str | None = None
    off_record: bool = False


class Posted(NamedTuple):
    """A message that is stored; `duplicate` where it had been before."""

    message: events.MessageData
    duplicate: bool

    def ack(self) -> events.Ack:
        """What its author is told."""
        return events.Ack(self.message.id, self.message.seq, self.message.client_msg_id, self.duplicate)


def post_message(draft: Draft) -> Posted:
    """One message; raises the `SeanceError` that refused it."""
    result = post_messages([draft])[0]
    if isinstance(result, SeanceError):
        raise result
    return result


def post_messages(drafts: Sequence[Draft], *, wait: bool = True) -> list[Posted | SeanceError]:
    """Store each of the messages or refuse it; the results are in the order of the drafts.

    With wait=False a message to a session that somebody else has locked gets `Busy`.
    """
    results: list[Posted | SeanceError | None] = [None] * len(drafts)
    if fastpath.is_available():
        _post_plain(drafts, results)
    left = [n for n, result in enumerate(results) if result is None]
    if left:
        with transaction.atomic():
            careful = _Posting([drafts[n] for n in left], wait=wait).run()
        for n, result in zip(left, careful, strict=True):
            results[n] = result
    return [result for result in results if result is not None]


def _post_plain(drafts: Sequence[Draft], results: list[Posted | SeanceError | None]) -> None:
    """Fill in the results of the drafts that `fastpath` takes: those that the spirit lets pass, then questions."""
    now = events.now()
    plain = _plain(drafts)
    try:
        placed = fastpath.post(plain, now, silent_only=True) if plain else []
        _tell_plain(drafts, plain, placed, now, results)
        plain = [item for item in plain if results[item.n] is None]
        if not plain:
            return
        with transaction.atomic():
            placed = fastpath.post(plain, now, silent_only=False)
            _tell_plain(drafts, plain, placed, now, results)
            publish(_ask_plain(plain, placed, now))
    except IntegrityError:
        for item in plain:  # rolled back: the careful way finds out which of them had been stored by somebody else
            results[item.n] = None


def _plain(drafts: Sequence[Draft]) -> list[Plain]:
    """The drafts that are well formed, each `client_msg_id` of an author once."""
    found, seen = [], set()
    for n, draft in enumerate(drafts):
        try:
            text, client_msg_id = clean_message(draft.text), clean_client_msg_id(draft.client_msg_id)
        except SeanceError:
            continue
        key = (draft.session_id, draft.user_id, client_msg_id)
        if client_msg_id is not None and key in seen:
            continue
        seen.add(key)
        found.append(Plain(n, uuid7(), draft.session_id, draft.user_id, text, client_msg_id, draft.off_record))
    return found


def _tell_plain(
    drafts: Sequence[Draft],
    plain: Sequence[Plain],
    placed: Sequence[Placed],
    at: datetime,
    results: list[Posted | SeanceError | None],
) -> None:
    by_n = {item.n: item for item in plain}
    notices = []
    for n, seq, name in sorted(placed, key=itemgetter(1)):
        item = by_n[n]
        fields = (
            item.id, item.session_id, seq, item.user_id, name, item.text, at, False, item.client_msg_id, None,
            item.off_record, None,
        )  # fmt: skip
        results[n] = Posted(events.MessageData(*fields), duplicate=False)
        text = events.frame("message_received", events.MessageReceived(*fields, item.text), at=at, seq=seq)
        notices.append(Notice(str(item.session_id), "message_received", text, seq))
    publish(notices)


def _ask_plain(plain: Sequence[Plain], placed: Sequence[Placed], at: datetime) -> list[Notice]:
    """The turns of the messages that are questions."""
    if not placed:
        return []
    by_n = {item.n: item for item in plain}
    sessions = Session.objects.in_bulk([by_n[row.n].session_id for row in placed])
    rows = [
        Message(
            id=by_n[row.n].id,
            session_id=by_n[row.n].session_id,
            seq=row.seq,
            user_id=by_n[row.n].user_id,
            user_name=row.name,
            text=by_n[row.n].text,
            off_record=by_n[row.n].off_record,
            timestamp=at,
        )
        for row in sorted(placed, key=itemgetter(1))
    ]
    return ask([Asked(sessions[row.session_id], row) for row in rows])


class _Posting:
    """One batch under way: what was read for it, and what is to be written."""

    def __init__(self, drafts: Sequence[Draft], *, wait: bool) -> None:
        self.drafts, self.wait = drafts, wait
        self.now = events.now()
        self.sessions = lock_sessions((draft.session_id for draft in drafts), wait=wait)
        authors = {draft.user_id for draft in drafts}
        seats = Participant.objects.filter(session__in=self.sessions, user__in=authors)
        self.seats = {(row.session_id, row.user_id): row for row in seats}
        ids = {draft.client_msg_id for draft in drafts if draft.client_msg_id and is_client_msg_id(draft.client_msg_id)}
        self.known: dict[tuple[UUID, UUID | None, str | None], Message] = {}
        if ids:
            rows = Message.objects.filter(session__in=self.sessions, user__in=authors, client_msg_id__in=ids)
            self.known = {(row.session_id, row.user_id, row.client_msg_id): row for row in rows}
        self.new: list[Message] = []
        self.asked: list[Asked] = []

    def run(self) -> list[Posted | SeanceError]:
        """Decide in order, write once, publish after commit."""
        results: list[Posted | SeanceError] = []
        for draft in self.drafts:
            try:
                results.append(self._post(draft))
            except SeanceError as refused:
                results.append(refused)
        Message.objects.bulk_create(self.new)
        if self.new:
            grown = {row.session_id: self.sessions[row.session_id] for row in self.new}
            Session.objects.bulk_update(list(grown.values()), ["last_seq"])
        publish([_told(row) for row in self.new])
        publish(ask(self.asked))
        return results

    def _post(self, draft: Draft) -> Posted:
        client_msg_id = clean_client_msg_id(draft.client_msg_id)
        text = clean_message(draft.text)
        session = self.sessions.get(draft.session_id)
        if session is None:
            raise SeanceError(Code.SESSION_NOT_FOUND) if self.wait else Busy()
        before = self.known.get((session.id, draft.user_id, client_msg_id)) if client_msg_id else None
        if before is not None:
            if before.text != text or before.off_record != draft.off_record:
                raise SeanceError(Code.IDEMPOTENCY_CONFLICT)
            return Posted(shapes.message_data(before), duplicate=True)
        if not session.is_active:
            raise SeanceError(Code.SESSION_ENDED)
        seat = self.seats.get((session.id, draft.user_id))
        name = self._speaker(session, seat, draft.user_id)

        session.last_seq += 1
        row = Message(
            id=uuid7(),
            session=session,
            seq=session.last_seq,
            user_id=draft.user_id,
            user_name=name,
            text=text,
            timestamp=self.now,
            client_msg_id=client_msg_id,
            off_record=draft.off_record,
        )
        self.new.append(row)
        if client_msg_id:
            self.known[session.id, draft.user_id, client_msg_id] = row
        self.asked.append(Asked(session, row))
        return Posted(shapes.message_data(row), duplicate=False)

    def _speaker(self, session: Session, seat: Participant | None, user_id: UUID) -> str:
        """The name of whoever speaks; a host may speak over REST without ever having sat down."""
        if seat is None and session.host_id == user_id:
            return User.objects.values_list("name", flat=True).get(pk=user_id)
        policies.may_speak(seat, is_host=session.host_id == user_id)
        assert seat is not None  # noqa: S101  may_speak refuses a missing seat
        return seat.name


def _told(row: Message) -> Notice:
    event, data = shapes.message_event(row)
    text = events.frame(event, data, at=row.timestamp, seq=row.seq)
    return Notice(str(row.session_id), event, text, row.seq)


@transaction.atomic
def delete_message(*, actor: User | None, session_id: UUID, message_id: UUID) -> events.MessageData:
    """Take a message away: author, host or staff. Doing it twice is the same as once.

    Raises `NOT_FOUND` for a message that is not in the session, `UNAUTHORIZED`, `FORBIDDEN`, `SESSION_NOT_FOUND`.
    """
    session = lock_session(session_id)
    row = Message.objects.select_related("answer").filter(session=session, pk=message_id).first()
    if row is None:
        raise SeanceError(Code.NOT_FOUND)
    policies.may_delete(session, row.user_id, actor)
    if row.deleted_at is None:
        row.deleted_at = events.now()
        row.save(update_fields=["deleted_at"])
        by = actor.id if actor else None
        notices = [append_event(session, "message_deleted", events.MessageDeleted(row.id, by), row.deleted_at)]
        notices += withdraw(session, row.turns.all(), row.deleted_at, by)
        session.save(update_fields=["last_seq"])
        publish(notices)
    return shapes.message_data(row)
