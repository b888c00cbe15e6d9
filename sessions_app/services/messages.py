"""sessions_app, writes: messages, many at a time, and their deletion.

`post_messages` is the only way in for a message, from both doors. Under the lock of its session every message of a call
is stored with its `seq`, or refused by itself, and what was stored is published in that order once it has committed.
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple, Self
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from uuid_utils.compat import uuid7

from sessions_app import events, policies
from sessions_app.errors import Code, SeanceError
from sessions_app.models import Access, Act, Message, Mode, Participant, Session, User
from sessions_app.outage import OUTAGE
from sessions_app.publish import Notice, notice, publish
from sessions_app.selectors import shapes
from sessions_app.services import fastpath
from sessions_app.services.audit import record
from sessions_app.services.fastpath import Plain
from sessions_app.services.log import Busy, append_event, lock_known, lock_sessions
from sessions_app.services.turns import Asked, ask, may_ask, unhear_message, withdraw
from sessions_app.spirits.safety import crisis_notice, is_crisis
from sessions_app.text import clean_client_msg_id, clean_message, is_client_msg_id

log = structlog.get_logger(__name__)
ROUNDS = 3  # of waiting for a lock and finding it taken again, before it is kept for a transaction


class Draft(NamedTuple):
    """A message to be posted by `user_id`; the text as it was typed."""

    session_id: UUID
    user_id: UUID | None  # None is nobody, who is told no more than anybody else
    text: str
    client_msg_id: str | None = None
    off_record: bool = False


class Posted(NamedTuple):
    """A message that is stored; `duplicate` where it had been before.

    `unanswered` says why the spirit will not answer it, where it was a question and there was no room for it.
    """

    message: events.MessageData
    duplicate: bool
    unanswered: SeanceError | None = None

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

    With wait=False a message to a session that somebody else has locked gets `Busy`. What was committed is told to have
    been, whatever befalls the rest: it gets `UNAVAILABLE`, or `INTERNAL_ERROR` where the fault is a message's own.
    """
    batch = _Batch(drafts, wait=wait)
    try:
        if fastpath.is_available():
            batch.post_at_once()
        batch.post_under_lock()
    except OUTAGE as error:
        log.warning("database_unavailable", error=type(error).__name__, cause=type(error.__cause__).__name__)
        batch.refuse_rest(SeanceError(Code.UNAVAILABLE, retry_after_ms=1000))
    return [result for result in batch.results if result is not None]


class _Batch:
    """The drafts of one call and what became of them; each step takes those that have no result yet."""

    def __init__(self, drafts: Sequence[Draft], *, wait: bool) -> None:
        self.drafts, self.wait = drafts, wait
        self.results: list[Posted | SeanceError | None] = [None] * len(drafts)

    def _left(self) -> list[int]:
        return [n for n, result in enumerate(self.results) if result is None]

    def refuse_rest(self, refusal: SeanceError) -> None:
        """Refuse what has no result."""
        for n in self._left():
            self.results[n] = refusal

    def post_at_once(self) -> None:
        """What is plain and can be followed by no turn, in one statement each time; and what will not be stored."""
        plain, repeated = _plain(enumerate(self.drafts))
        locked = self._post_plain(plain)
        rounds = ROUNDS if self.wait else 0
        while locked and rounds:
            free, rounds = fastpath.wait_for({item.session_id for item in locked}), rounds - 1
            locked = self._post_plain([item for item in locked if item.session_id in free])
        self._settle(repeated)
        if not self.wait:  # whether locked by somebody else or gone: whoever waits for the lock will know
            busy = {item.session_id for item in locked}
            for n in self._left():
                if self.drafts[n].session_id in busy:  # nothing passes what came before it
                    self.results[n] = Busy()

    def _post_plain(self, plain: Sequence[Plain]) -> list[Plain]:
        """Store, tell and answer it; returns what somebody else has locked, or what is gone."""
        if not plain:
            return []
        now = events.now()
        try:
            taken = fastpath.post(plain, now, silent_only=True)
        except IntegrityError:
            return []  # nothing of it was stored; under the lock it is found who had stored what
        by_n = {item.n: item for item in plain}
        notices = []
        for n, seq, name in sorted(taken.placed, key=itemgetter(1)):
            item = by_n[n]
            fields = (
                item.id, item.session_id, seq, item.user_id, name, item.text, now, False, item.client_msg_id, None,
                item.off_record, None,
            )  # fmt: skip
            self.results[n] = Posted(events.MessageData(*fields), duplicate=False)
            text = events.frame("message_received", events.MessageReceived(*fields, item.text), at=now, seq=seq)
            notices.append(Notice(str(item.session_id), "message_received", text, seq))
        publish(notices, is_kept=True)
        self._settle([by_n[n] for n in taken.settled])
        return [item for item in plain if item.n not in taken.reached and item.n not in taken.settled]

    def _settle(self, plain: Sequence[Plain]) -> None:
        """Answer what will not be stored without a lock: it comes where a host is slow, and would hold it for long."""
        if not plain:
            return
        try:
            seen = _Seen.of(plain, Session.objects.in_bulk({item.session_id for item in plain}))
            for item in plain:
                self._settle_one(seen, item.n)
        except OUTAGE:
            raise
        except Exception:
            log.exception("message_failed")  # others are stored; this one gets its answer under the lock

    def _settle_one(self, seen: "_Seen", n: int) -> None:
        try:
            found = seen.decide(self.drafts[n])
        except SeanceError as refused:
            self.results[n] = refused.kept()
        else:
            if isinstance(found, Posted):
                self.results[n] = found

    def post_under_lock(self) -> None:
        """The rest, in one transaction; where a message breaks it in a way that no rule foresaw, one by one."""
        left = self._left()
        if not left:
            return
        try:
            found = self._post(left)
        except OUTAGE:
            raise
        except Exception:
            if len(left) > 1:
                found = [self._post_alone(n) for n in left]
            else:
                log.exception("message_failed")
                found = [SeanceError(Code.INTERNAL_ERROR)]
        for n, result in zip(left, found, strict=True):
            self.results[n] = result

    def _post(self, left: Sequence[int]) -> list[Posted | SeanceError]:
        with transaction.atomic():
            return _Posting([self.drafts[n] for n in left], wait=self.wait).run()

    def _post_alone(self, n: int) -> Posted | SeanceError:
        try:
            return self._post([n])[0]
        except OUTAGE:
            return SeanceError(Code.UNAVAILABLE, retry_after_ms=1000)
        except Exception:
            log.exception("message_failed")
            return SeanceError(Code.INTERNAL_ERROR)


def _plain(drafts: Iterable[tuple[int, Draft]]) -> tuple[list[Plain], list[Plain]]:
    """The drafts that are well formed: each `client_msg_id` of an author once, and those that say one again."""
    found, again, seen = list[Plain](), list[Plain](), set()
    for n, draft in drafts:
        if draft.user_id is None:
            continue
        try:
            text, client_msg_id = clean_message(draft.text), clean_client_msg_id(draft.client_msg_id)
        except SeanceError:
            continue
        key = (draft.session_id, draft.user_id, client_msg_id)
        item = Plain(n, uuid7(), draft.session_id, draft.user_id, text, client_msg_id, draft.off_record)
        (again if client_msg_id is not None and key in seen else found).append(item)
        seen.add(key)
    return found, again


class _Posting:
    """One batch under way, under the locks of its sessions: what was read for it, and what is to be written."""

    def __init__(self, drafts: Sequence[Draft], *, wait: bool) -> None:
        self.drafts, self.wait = drafts, wait
        self.results: list[Posted | SeanceError | None] = [None] * len(drafts)
        self.now = events.now()
        self.sessions = lock_sessions((draft.session_id for draft in drafts), wait=wait)
        self.new: list[Message] = []
        self.asked: list[Asked] = []
        self.notices: list[Notice] = []

    def run(self) -> list[Posted | SeanceError]:
        """Decide in order, write once, publish after commit."""
        if fastpath.is_available():
            self._post_plain()
        left = [n for n, result in enumerate(self.results) if result is None]
        seen = _Seen.of([self.drafts[n] for n in left], self.sessions)
        for n in left:
            try:
                self.results[n] = self._post(self.drafts[n], seen)
            except SeanceError as refused:
                self.results[n] = refused.kept()
        Message.objects.bulk_create(self.new)
        if self.new:
            grown = {row.session_id: self.sessions[row.session_id] for row in self.new}
            Session.objects.bulk_update(list(grown.values()), ["last_seq"])
        publish([*self.notices, *(_told(row) for row in self.new)])
        outcome = ask(self.asked)
        publish(outcome.notices)
        return [
            result._replace(unanswered=outcome.unanswered.get(result.message.id))
            if isinstance(result, Posted) and not result.duplicate
            else result
            for result in self.results
            if result is not None
        ]

    def _post_plain(self) -> None:
        """What `fastpath` takes. What the spirit hears is looked at first; the careful way knows what to say."""
        plain = []
        for item in _plain(enumerate(self.drafts))[0]:
            session = self.sessions.get(item.session_id)
            if session and (session.spirit_mode == Mode.OFF or item.off_record or not is_crisis(item.text)):
                plain.append(item)
        if not plain:
            return
        by_n = {item.n: item for item in plain}
        notices = []
        placed = fastpath.post(plain, self.now, silent_only=False).placed
        for n, seq, name in sorted(placed, key=itemgetter(1)):
            item = by_n[n]
            row = self._row(self.sessions[item.session_id], seq, name, item)
            self.results[n] = Posted(shapes.message_data(row), duplicate=False)
            notices.append(_told(row))
        publish(notices, is_kept=True)

    def _row(self, session: Session, seq: int, name: str, item: Plain) -> Message:
        """The next message of a session, which may be a question."""
        session.last_seq = seq
        row = Message(
            id=item.id,
            session=session,
            seq=seq,
            user_id=item.user_id,
            user_name=name,
            text=item.text,
            timestamp=self.now,
            client_msg_id=item.client_msg_id,
            off_record=item.off_record,
        )
        self.asked.append(Asked(session, row))
        return row

    def _post(self, draft: Draft, seen: "_Seen") -> Posted:
        session = self.sessions.get(draft.session_id)
        if session is None and not self.wait:
            raise Busy
        found = seen.decide(draft)
        if isinstance(found, Posted):
            return found
        if found.session.spirit_mode != Mode.OFF and not draft.off_record:
            self._check_question(found.session, found.user_id, found.text)

        item = Plain(0, uuid7(), draft.session_id, found.user_id, found.text, found.client_msg_id, draft.off_record)
        row = self._row(found.session, found.session.last_seq + 1, found.name, item)
        self.new.append(row)
        if found.client_msg_id:
            seen.known[draft.session_id, found.user_id, found.client_msg_id] = row
        return Posted(shapes.message_data(row), duplicate=False)

    def _check_question(self, session: Session, user_id: UUID, text: str) -> None:
        """What the spirit would hear: never somebody's despair, and in a circle only the seat whose turn it is."""
        if is_crisis(text):
            told = crisis_notice(session.spirit_locale, settings.SEANCE.spirit_help_lines)
            self.notices.append(notice(session.id, "question_withdrawn", events.QuestionWithdrawn()))
            details = {"kind": told.kind, "links": list(told.links)}
            raise SeanceError(Code.SAFETY_NOTICE, told.text, details=details)
        waits = any(item.session.id == session.id for item in self.asked)
        if session.spirit_mode == Mode.CIRCLE and (waits or not may_ask(session, user_id, self.now)):
            raise SeanceError(Code.NOT_YOUR_TURN)


class _Said(NamedTuple):
    """What may be stored, and under which name: nothing stands against it but what the spirit would hear."""

    session: Session
    user_id: UUID
    name: str
    text: str
    client_msg_id: str | None


class _Seen(NamedTuple):
    """What was read for drafts: their sessions, their authors' places, and what is stored under their ids."""

    sessions: Mapping[UUID, Session]
    seats: Mapping[tuple[UUID, UUID], Participant]
    known: dict[tuple[UUID, UUID, str], Message]

    @classmethod
    def of(cls, drafts: Sequence[Draft | Plain], sessions: Mapping[UUID, Session]) -> Self:
        """Read it; no query where there are no drafts."""
        authors = {draft.user_id for draft in drafts if draft.user_id}
        if not authors:
            return cls(sessions, {}, {})
        seats = Participant.objects.filter(session__in=sessions, user__in=authors)
        ids = {draft.client_msg_id for draft in drafts if draft.client_msg_id and is_client_msg_id(draft.client_msg_id)}
        rows = Message.objects.filter(session__in=sessions, user__in=authors, client_msg_id__in=ids) if ids else ()
        return cls(
            sessions,
            seats={(row.session_id, row.user_id): row for row in seats},
            known={(row.session_id, row.user_id, row.client_msg_id): row for row in rows},  # type: ignore[misc]
        )

    def decide(self, draft: Draft) -> Posted | _Said:
        """The answer that it had before, or what may be stored; raises its refusal."""
        session, user_id = self.sessions.get(draft.session_id), draft.user_id
        if session is None:
            raise SeanceError(Code.SESSION_NOT_FOUND)
        seat = self.seats.get((session.id, user_id)) if user_id else None
        if user_id is None or seat is None or seat.kicked_at is not None:
            _check_stranger(session, user_id)
        assert user_id is not None  # noqa: S101  nobody is always refused above
        client_msg_id, text = clean_client_msg_id(draft.client_msg_id), clean_message(draft.text)
        before = self.known.get((session.id, user_id, client_msg_id)) if client_msg_id else None
        if before is not None:
            if before.text != text:
                raise SeanceError(Code.IDEMPOTENCY_CONFLICT)
            return Posted(shapes.message_data(before), duplicate=True)
        if not session.is_active:
            raise SeanceError(Code.SESSION_ENDED)
        return _Said(session, user_id, _speaker(session, seat, user_id), text, client_msg_id)


def _check_stranger(session: Session, user_id: UUID | None) -> None:
    """Whoever has no place learns of the session what anybody may; nobody never speaks."""
    user = User.objects.filter(pk=user_id).first() if user_id and session.access != Access.OPEN else None
    if session.access != Access.OPEN:
        policies.may_know(session, user, takes_part=False)
    if user_id is None:
        raise SeanceError(Code.UNAUTHORIZED)


def _speaker(session: Session, seat: Participant | None, user_id: UUID) -> str:
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
    session = lock_known(session_id, actor)
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
        notices += unhear_message(session, row)
        session.save(update_fields=["last_seq"])
        publish(notices)
        if by is None or by != row.user_id:
            record(Act.DELETE_MESSAGE, actor=actor, session=session, target=row.id)
    return shapes.message_data(row)
