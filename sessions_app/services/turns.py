"""sessions_app, writes: the spirit's turns. The rows are the queue; a turn is claimed with a lease and a fence.

Whoever claims a turn gets its `attempt`, and every later write says which attempt it belongs to: a process that slept
through its lease finds that another attempt holds the turn, and writes nothing. So a turn has exactly one end.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models import Max, QuerySet
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from sessions_app import events, policies
from sessions_app.errors import Code, SeanceError
from sessions_app.models import Act, Answer, Message, Mode, Participant, Session, SpiritTurn, TurnState, User
from sessions_app.publish import Notice, notice, publish
from sessions_app.selectors import shapes
from sessions_app.selectors.turns import asker, turn_data
from sessions_app.services.audit import record
from sessions_app.services.log import append_event, lock_known, lock_session
from sessions_app.spirits.base import Finish, Line
from sessions_app.spirits.personas import load_persona
from sessions_app.spirits.speech import FormattedResponse

LEASE_SECONDS = 30
MAX_ATTEMPTS = 3
MAX_WAITING = 8
CONTEXT_MESSAGES = 60
OPEN_STATES = (TurnState.QUEUED, TurnState.ACTIVE)
# Tells every process of a session that a turn waits; it is an internal word, and no socket ever gets it.
WAKE = "turn_waits"


class Asked(NamedTuple):
    """A new message in a locked session, which may be a question."""

    session: Session
    message: Message


class Claim(NamedTuple):
    """A turn that the caller may answer now, as attempt `attempt`, and all that a provider may know of it."""

    turn_id: UUID
    session_id: UUID
    message_id: UUID
    attempt: int
    number: int
    seed: int
    persona: str
    pace: str
    question: str
    asker: str
    people: tuple[str, ...]
    history: tuple[Line, ...]
    context_seq: int


def is_question(session: Session, message: Message) -> bool:
    """Whether the spirit of this session answers this message."""
    if message.off_record or message.is_spirit:
        return False
    if session.spirit_mode == Mode.SUMMONED:
        return names_spirit(message.text, load_persona(session.spirit_persona).name)
    return session.spirit_mode != Mode.OFF


def names_spirit(text: str, name: str) -> bool:
    """Whether a text calls the spirit: `@spirit`, "spirit", or its name with or without the article."""
    bare = re.sub(r"^(the|el|la)\s+", "", name, flags=re.IGNORECASE)
    return re.search(rf"(?<!\w)(@?spirit|{re.escape(bare)})(?!\w)", text, flags=re.IGNORECASE) is not None


def ask(asked: Sequence[Asked]) -> list[Notice]:
    """Queue a turn for each message that is a question; returns what to publish.

    In a full queue the message stands, and the spirit lets it pass.
    """
    questions = [item for item in asked if is_question(item.session, item.message)]
    if not questions:
        return []
    ids = {item.session.id for item in questions}
    newest = SpiritTurn.objects.filter(session__in=ids).values_list("session_id").annotate(Max("number"))
    numbers: dict[UUID, int] = dict(newest)
    waiting = dict.fromkeys(ids, 0)
    for session_id in SpiritTurn.objects.filter(session__in=ids, state__in=OPEN_STATES).values_list("session_id"):
        waiting[session_id[0]] += 1

    turns, notices = [], []
    for session, message in questions:
        if waiting[session.id] > MAX_WAITING:
            continue
        numbers[session.id] = numbers.get(session.id, 0) + 1
        turn = SpiritTurn(
            id=uuid7(), session=session, message=message, asker_id=message.user_id, number=numbers[session.id]
        )
        turns.append(turn)
        if position := waiting[session.id]:
            notices.append(_queued(turn, position))
        waiting[session.id] += 1
        notices.append(Notice(str(session.id), WAKE, ""))
    SpiritTurn.objects.bulk_create(turns)
    return notices


def _queued(turn: SpiritTurn, position: int) -> Notice:
    told = events.QuestionQueued(turn.id, turn.message_id, asker(turn), position)
    return notice(turn.session_id, "question_queued", told)


def _open_turns(session_id: UUID) -> QuerySet[SpiritTurn]:
    return SpiritTurn.objects.filter(session_id=session_id, state__in=OPEN_STATES).select_related("message")


@transaction.atomic
def claim(session_id: UUID) -> Claim | None:
    """Take the session's next turn, or one whose holder's lease ran out; None where there is nothing to do."""
    session = lock_session(session_id)
    turns = list(_open_turns(session_id).order_by("state", "number"))  # "active" sorts before "queued"
    if not turns:
        return None
    turn, *waiting = turns
    if turn.state == TurnState.ACTIVE:
        expired = SpiritTurn.objects.filter(pk=turn.pk, lease_until__lt=Now()).exists()
        if not expired:
            return None
        if turn.attempt >= MAX_ATTEMPTS:
            told = _end(session, turn, TurnState.FAILED, events.now(), code=Code.SPIRIT_ERROR)
            publish([told, Notice(str(session_id), WAKE, "")])
            session.save(update_fields=["last_seq"])
            return None
    else:
        turn.state, turn.started_at = TurnState.ACTIVE, events.now()
    turn.attempt += 1
    turn.context_seq = session.last_seq
    turn.session = session
    turn.lease_until = Now() + timedelta(seconds=LEASE_SECONDS)
    turn.save(update_fields=["state", "started_at", "attempt", "context_seq", "lease_until"])
    now = turn_data(turn)
    thinking = events.SpiritThinking(now.turn_id, now.message_id, now.asker, now.persona)
    publish([notice(session_id, "spirit_thinking", thinking)])
    if turn.attempt == 1:
        publish([_queued(row, position) for position, row in enumerate(waiting, start=1)])
    return _claim(session, turn)


def _claim(session: Session, turn: SpiritTurn) -> Claim:
    heard = Message.objects.filter(session=session, deleted_at__isnull=True, off_record=False)
    gone = Participant.objects.filter(session=session, kicked_at__isnull=False)  # the spirit hears them no more
    heard = heard.exclude(pk=turn.message_id).exclude(user__in=gone.values("user"))
    rows = list(heard.order_by("-seq")[:CONTEXT_MESSAGES])
    people = Participant.objects.filter(session=session, left_at__isnull=True).order_by("joined_at")
    return Claim(
        turn_id=turn.id,
        session_id=session.id,
        message_id=turn.message_id,
        attempt=turn.attempt,
        number=turn.number,
        seed=session.seed,
        persona=session.spirit_persona,
        pace=session.spirit_pace,
        question=turn.message.text,
        asker=turn.message.user_name or "",
        people=tuple(people.values_list("name", flat=True)),
        history=tuple(Line(row.seq, row.user_name, row.text, row.is_spirit) for row in reversed(rows)),
        context_seq=turn.context_seq,
    )


def _held(turn_id: UUID, attempt: int) -> QuerySet[SpiritTurn]:
    return SpiritTurn.objects.filter(pk=turn_id, attempt=attempt, state=TurnState.ACTIVE)


def extend(*, turn_id: UUID, attempt: int) -> bool:
    """Renew the lease; False where the turn is no longer this attempt's, and its work is to be dropped."""
    return _held(turn_id, attempt).update(lease_until=Now() + timedelta(seconds=LEASE_SECONDS)) == 1


@transaction.atomic
def answer(*, session_id: UUID, turn_id: UUID, attempt: int, response: FormattedResponse, finish: Finish) -> bool:
    """End a turn with the spirit's message; False, and nothing stored, where the turn is no longer this attempt's."""
    session = lock_session(session_id)
    turn = _held(turn_id, attempt).select_related("message").first()
    if turn is None:
        return False
    at = events.now()
    session.last_seq += 1
    row = Message.objects.create(
        session=session,
        seq=session.last_seq,
        text=response.text,
        timestamp=at,
        is_spirit=True,
        in_reply_to_id=turn.message_id,
    )
    row.answer = Answer.objects.create(
        message=row,
        turn=turn,
        board_script=msgspec.to_builtins(response.board_script),
        letter_timings=list(response.letter_timings),
        word_count=response.word_count,
        source=finish.source,
        degraded=finish.degraded,
    )
    turn.state, turn.ended_at, turn.lease_until = TurnState.ANSWERED, at, None
    turn.provider, turn.model = finish.provider, finish.model
    turn.save(update_fields=["state", "ended_at", "lease_until", "provider", "model"])
    session.save(update_fields=["last_seq"])
    event, data = shapes.message_event(row)
    text = events.frame(event, data, at=at, seq=row.seq)
    publish([Notice(str(session_id), event, text, row.seq), Notice(str(session_id), WAKE, "")])
    return True


@transaction.atomic
def fail(*, session_id: UUID, turn_id: UUID, attempt: int, code: str) -> bool:
    """End a turn without an answer; False where it is no longer this attempt's."""
    session = lock_session(session_id)
    turn = _held(turn_id, attempt).first()
    if turn is None:
        return False
    told = _end(session, turn, TurnState.FAILED, events.now(), code=code)
    session.save(update_fields=["last_seq"])
    publish([told, Notice(str(session_id), WAKE, "")])
    return True


@transaction.atomic
def cancel_question(*, actor: User | None, session_id: UUID, turn_id: UUID) -> None:
    """Cancel a turn that waits or is being answered: asker, host or staff; a turn that has ended stays as it is.

    Raises `NOT_FOUND`, `UNAUTHORIZED`, `FORBIDDEN`, `SESSION_NOT_FOUND`.
    """
    session = lock_known(session_id, actor)
    turn = SpiritTurn.objects.filter(pk=turn_id, session=session).first()
    if turn is None:
        raise SeanceError(Code.NOT_FOUND)
    policies.may_delete(session, turn.asker_id, actor)
    if turn.state in OPEN_STATES:
        told = _end(session, turn, TurnState.CANCELLED, events.now(), by=actor.id if actor else None)
        session.save(update_fields=["last_seq"])
        publish([told, Notice(str(session_id), WAKE, "")])
        if actor is None or actor.id != turn.asker_id:
            record(Act.CANCEL_QUESTION, actor=actor, session=session, target=turn.id)


@transaction.atomic
def ask_again(*, actor: User | None, session_id: UUID, turn_id: UUID) -> None:
    """Ask an ended turn's question again: asker, host or staff. The old answer stays.

    Raises `NOT_FOUND` (no such turn, or its message is gone), `QUEUE_FULL`, `SESSION_ENDED`,
    and what `cancel_question` raises.
    """
    session = lock_known(session_id, actor)
    turn = SpiritTurn.objects.filter(pk=turn_id, session=session, message__deleted_at__isnull=True).first()
    if turn is None:
        raise SeanceError(Code.NOT_FOUND)
    policies.may_delete(session, turn.asker_id, actor)
    if not session.is_active:
        raise SeanceError(Code.SESSION_ENDED)
    waiting = _open_turns(session_id).count()
    if waiting > MAX_WAITING or _open_turns(session_id).filter(message_id=turn.message_id).exists():
        raise SeanceError(Code.QUEUE_FULL)
    number = SpiritTurn.objects.filter(session=session).aggregate(last=Max("number"))["last"] + 1
    again = SpiritTurn.objects.create(
        session=session, message_id=turn.message_id, asker_id=turn.asker_id, number=number
    )
    publish([_queued(again, waiting)] if waiting else [])
    publish([Notice(str(session_id), WAKE, "")])


def withdraw(session: Session, turns: Iterable[SpiritTurn], at: datetime, by: UUID | None) -> list[Notice]:
    """End turns of a locked session whose question is gone; returns what to publish. The caller saves `last_seq`."""
    return [_end(session, turn, TurnState.WITHDRAWN, at, by=by) for turn in turns if turn.state in OPEN_STATES]


def _end(
    session: Session, turn: SpiritTurn, state: TurnState, at: datetime, *, code: str = "", by: UUID | None = None
) -> Notice:
    turn.state, turn.ended_at, turn.lease_until, turn.code = state, at, None, code
    turn.save(update_fields=["state", "ended_at", "lease_until", "code"])
    if state == TurnState.FAILED:
        return append_event(session, "spirit_failed", events.SpiritFailed(turn.id, turn.message_id, code), at)
    return append_event(session, "spirit_cancelled", events.SpiritCancelled(turn.id, turn.message_id, by), at)


def sessions_with_turns(session_ids: Sequence[UUID]) -> list[UUID]:
    """Those of the sessions in which a turn waits, or was left by its holder: the runner's poll."""
    rows = SpiritTurn.objects.filter(session_id__in=session_ids, state__in=OPEN_STATES)
    return list(rows.values_list("session_id", flat=True).distinct())
